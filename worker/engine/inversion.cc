#include "worker/engine/inversion.h"

#include <list>
#include <memory>
#include <utility>

#include "ATen/TensorOperators.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

// Adapters that are for some of the steps, seen from the other end.
AdapterUses Mirrored(AdapterUses uses) {
  for (AdapterUse& use : uses) {
    const double start = use.start;
    use.start = 1 - use.end;
    use.end = 1 - start;
  }
  return uses;
}

// `latent` of `from`, which is `clean` and noise, with as much of that noise as
// `to` has.
at::Tensor AtLevel(const at::Tensor& latent, const at::Tensor& clean,
                   const NoiseLevel& from, const NoiseLevel& to) {
  if (from.alpha == to.alpha && from.sigma == to.sigma) return latent;
  return Noised(clean, (latent - clean * from.alpha) / from.sigma, to);
}

}  // namespace

v1::GenerateRequest InversionPass(const v1::GenerateRequest& request) {
  const v1::ImageToImage::Inversion& inversion =
      request.image_to_image().inversion();
  v1::GenerateRequest up = request;
  up.set_prompt(inversion.prompt());
  up.clear_prompt_2();
  up.set_guidance_scale(inversion.guidance_scale());
  up.set_steps(inversion.steps());
  up.set_guidance_rescale(0);
  up.clear_guidance();
  up.clear_refiner();
  up.clear_controls();
  up.clear_image_prompts();
  return up;
}

void EncodeInversions(const Pipeline& model, absl::Span<const EncodeTask> tasks,
                      bool together, TextCache& texts,
                      std::vector<absl::StatusOr<Encoded>>& encoded) {
  std::list<v1::GenerateRequest> requests;  // tasks refer to them
  std::vector<EncodeTask> ways_up;
  std::vector<size_t> places;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i].request.image_to_image().has_inversion()) continue;
    if (!encoded[i].ok()) continue;
    requests.push_back(InversionPass(tasks[i].request));
    ways_up.push_back({.request = requests.back(),
                       .embeddings = tasks[i].embeddings,
                       .adapters = Mirrored(tasks[i].adapters),
                       .inverts = true});
    places.push_back(i);
  }
  if (ways_up.empty()) return;
  auto results = model.Encode(ways_up, together, texts);
  for (size_t i = 0; i < results.size(); ++i) {
    auto& place = encoded[places[i]];
    if (results[i].ok()) {
      place->inversion =
          std::make_shared<const Encoded>(*std::move(results[i]));
    } else {
      place = results[i].status();
    }
  }
}

absl::Status AddInversion(const Pipeline& model, const ImageRequest& up,
                          const Encoded& encoded, std::vector<Stage>& stages) {
  const at::Tensor clean = encoded.latent.defined()
                               ? encoded.latent
                               : model.codec().Scale(encoded.picture.mean);
  auto walk = model.Plan({.request = up.request,
                          .noise = up.noise,
                          .latent = clean,
                          .inverts = true},
                         *encoded.inversion);
  if (!walk.ok()) return walk.status();
  Stage first = std::move(walk->front());
  first.inverts = true;
  stages.front().begin = [clean, before = first.sampler.get()](
                             Stage& stage, const at::Tensor& latent) {
    stage.sampler->Replace(
        AtLevel(latent, clean, before->level(), stage.sampler->level()));
    return absl::OkStatus();
  };
  stages.insert(stages.begin(), std::move(first));
  return absl::OkStatus();
}

}  // namespace genzo
