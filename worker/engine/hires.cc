#include "worker/engine/hires.h"

#include <list>
#include <memory>
#include <utility>

#include "ATen/TensorOperators.h"
#include "ATen/ops/upsample_bicubic2d.h"
#include "ATen/ops/upsample_bilinear2d.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "ATen/ops/zeros.h"
#include "base/upscale_plan.h"
#include "worker/upscale/enlargement.h"

namespace genzo {

using v1::HiresPass;

at::Tensor EnlargeLatent(const at::Tensor& latent, HiresPass::Upscale upscale,
                         int64_t height, int64_t width) {
  if (latent.size(2) == height && latent.size(3) == width) return latent;
  const at::Tensor kept =
      CropToProportions(latent, {.width = width, .height = height})
          .contiguous();
  switch (upscale) {
    case HiresPass::UPSCALE_LATENT_NEAREST:
      return at::upsample_nearest2d(kept, {height, width});
    case HiresPass::UPSCALE_LATENT_BICUBIC:
      return at::upsample_bicubic2d(kept, {height, width},
                                    /*align_corners=*/false);
    default:
      return at::upsample_bilinear2d(kept, {height, width},
                                     /*align_corners=*/false);
  }
}

void EncodeSecondPasses(const Pipeline& model,
                        absl::Span<const EncodeTask> tasks, bool together,
                        TextCache& texts, const SteerPass& steer,
                        std::vector<absl::StatusOr<Encoded>>& encoded) {
  std::list<v1::GenerateRequest> requests;  // tasks refer to them
  std::vector<EncodeTask> second;
  std::vector<size_t> places;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!tasks[i].request.has_hires() || !encoded[i].ok()) continue;
    requests.push_back(SecondPass(tasks[i].request));
    EncodeTask task = {
        .request = requests.back(),
        .embeddings = tasks[i].embeddings,
        .adapters = tasks[i].adapters,
        .steps_before = static_cast<int>(tasks[i].request.steps())};
    const absl::Status steered = steer(task);
    if (!steered.ok()) {
      encoded[i] = steered;
      continue;
    }
    second.push_back(std::move(task));
    places.push_back(i);
  }
  if (second.empty()) return;
  auto results = model.Encode(second, together, texts);
  for (size_t i = 0; i < results.size(); ++i) {
    auto& place = encoded[places[i]];
    if (results[i].ok()) {
      place->second_pass =
          std::make_shared<const Encoded>(*std::move(results[i]));
    } else {
      place = results[i].status();
    }
  }
}

absl::Status AddSecondPass(const Pipeline& model, const HiresPass& hires,
                           const ImageRequest& second, const Encoded& encoded,
                           std::vector<Stage>& stages) {
  const v1::GenerateRequest& request = second.request;
  const int64_t scale = model.codec().pixels_per_latent();
  const int64_t height = request.height() / scale;
  const int64_t width = request.width() / scale;
  // Planned from nothing but noise; the picture is added when it is there.
  const at::Tensor nothing =
      at::zeros({1, model.codec().latent_channels(), height, width});
  auto added =
      model.Plan({.request = request, .noise = second.noise, .latent = nothing},
                 *encoded.second_pass);
  if (!added.ok()) return added.status();
  for (Stage& stage : *added) {
    stage.pixels = int64_t{request.width()} * request.height();
  }
  Stage& first = added->front();
  first.steps_before = first.sampler->progress().steps_done;
  first.begin = [upscale = hires.upscale(), height, width](
                    Stage& stage, const at::Tensor& latent) {
    stage.sampler->Replace(stage.sampler->latent() +
                           EnlargeLatent(latent, upscale, height, width) *
                               stage.sampler->level().alpha);
    return absl::OkStatus();
  };
  if (hires.upscale() == HiresPass::UPSCALE_LANCZOS ||
      hires.upscale() == HiresPass::UPSCALE_NETWORK) {
    first.through_pixels =
        PixelHop{.upscaler = hires.upscale() == HiresPass::UPSCALE_NETWORK
                                 ? hires.upscaler()
                                 : kLanczos,
                 .width = request.width(),
                 .height = request.height()};
  }
  for (Stage& stage : *added) stages.push_back(std::move(stage));
  return absl::OkStatus();
}

}  // namespace genzo
