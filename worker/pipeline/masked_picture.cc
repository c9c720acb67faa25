#include "worker/pipeline/masked_picture.h"

#include <utility>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/max_pool2d.h"
#include "ATen/ops/where.h"
#include "ATen/ops/zeros_like.h"
#include "base/errors.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

// [1, 1, H, W] -> [1, 1, h, w]: the first pixel of each place, as the
// references' nearest neighbour is. Where that misses all of a small mask, the
// places that it touches.
at::Tensor MaskOfLatent(const at::Tensor& mask, int64_t scale) {
  const at::Tensor nearest = mask.slice(2, 0, mask.size(2), scale)
                                 .slice(3, 0, mask.size(3), scale)
                                 .contiguous();
  return nearest.any().item<bool>() ? nearest
                                    : at::max_pool2d(mask, {scale, scale});
}

// [1, 1, H, W] -> [1, scale * scale, h, w]
at::Tensor MaskOfPlaces(const at::Tensor& mask, int64_t scale) {
  return mask.view({mask.size(2) / scale, scale, mask.size(3) / scale, scale})
      .permute({1, 3, 0, 2})
      .flatten(0, 1)
      .unsqueeze(0);
}

// What the masked part holds before it is noised.
at::Tensor Filled(v1::Inpainting::Fill fill, const at::Tensor& latent,
                  const at::Tensor& noise, const at::Tensor& mask) {
  switch (fill) {
    case v1::Inpainting::FILL_NOISE:
      return at::where(mask > 0, noise, latent);
    case v1::Inpainting::FILL_NOTHING:
      return at::where(mask > 0, at::zeros_like(latent), latent);
    default:
      return latent;
  }
}

class KeepingWalk : public SamplerRun {
 public:
  KeepingWalk(std::unique_ptr<SamplerRun> walk, KnownPart known)
      : walk_(std::move(walk)), known_(std::move(known)) {}

  std::optional<Query> Next() const override { return walk_->Next(); }
  void Take(const at::Tensor& prediction) override {
    walk_->Take(prediction);
    const bool finished = !walk_->Next().has_value();
    walk_->Replace(WithKnown(
        walk_->latent(),
        finished ? known_.latent
                 : Noised(known_.latent, known_.noise, walk_->known_level())));
    denoised_ = WithKnown(walk_->denoised(), known_.latent);
  }
  NoiseLevel level() const override { return walk_->level(); }
  NoiseLevel known_level() const override { return walk_->known_level(); }
  const at::Tensor& latent() const override { return walk_->latent(); }
  const at::Tensor& denoised() const override { return denoised_; }
  void Replace(at::Tensor latent) override {
    walk_->Replace(std::move(latent));
  }
  WalkProgress progress() const override { return walk_->progress(); }
  void Save(SamplerState& state) const override { walk_->Save(state); }
  absl::Status Restore(const SamplerState& state) override {
    const absl::Status restored = walk_->Restore(state);
    if (restored.ok() && walk_->denoised().defined()) {
      denoised_ = WithKnown(walk_->denoised(), known_.latent);
    }
    return restored;
  }

 private:
  at::Tensor WithKnown(const at::Tensor& painted,
                       const at::Tensor& known) const {
    return (1 - known_.mask) * known + known_.mask * painted;
  }

  const std::unique_ptr<SamplerRun> walk_;
  const KnownPart known_;
  at::Tensor denoised_;
};

}  // namespace

int64_t SightChannels(MaskSight sight, const LatentCodec& codec) {
  const int64_t side = codec.pixels_per_latent();
  switch (sight) {
    case MaskSight::kLatent:
      return 1 + codec.latent_channels();
    case MaskSight::kPlaces:
      return codec.latent_channels() + side * side;
    default:
      return 0;
  }
}

void EncodePicture(const EncodeTask& task, const LatentCodec& codec,
                   MaskSight sight, Encoded& encoded) {
  if (!task.picture.defined()) return;
  const bool begins_at_noise = sight == MaskSight::kLatent &&
                               task.mask.defined() &&
                               task.request.image_to_image().strength() == 1;
  if (!begins_at_noise) encoded.picture = codec.Encode(task.picture);
  if (!task.mask.defined()) return;
  encoded.mask = task.mask;
  if (sight == MaskSight::kNothing) return;
  encoded.masked = codec.Encode(task.picture * (1 - task.mask));
}

absl::StatusOr<PictureStart> PictureStartOf(const ImageRequest& image,
                                            const Encoded& encoded,
                                            const LatentCodec& codec,
                                            MaskSight sight) {
  if (sight != MaskSight::kNothing && !encoded.mask.defined()) {
    return InvalidFieldsError(
        {{"inpainting",
          "inpainting is missing: the model paints masked parts alone"}});
  }
  PictureStart begun;
  SamplerStart& start = begun.start = StartOf(image, encoded, codec);
  if (!encoded.mask.defined()) return begun;
  const at::Tensor mask = MaskOfLatent(encoded.mask, codec.pixels_per_latent());
  if (sight == MaskSight::kNothing) {
    image.noise->Draw(start.noise.sizes());
    begun.known = {.mask = mask, .latent = start.sample, .noise = start.noise};
  } else {
    const at::Tensor masked = codec.Sample(encoded.masked, *image.noise);
    begun.beside =
        sight == MaskSight::kLatent
            ? at::cat({mask, masked}, 1)
            : at::cat({masked,
                       MaskOfPlaces(encoded.mask, codec.pixels_per_latent())},
                      1);
  }
  if (image.request.image_to_image().strength() == 1) {
    start.sample = at::Tensor();
  } else if (start.sample.defined()) {
    start.sample = Filled(image.request.inpainting().fill(), start.sample,
                          start.noise, mask);
  }
  return begun;
}

std::unique_ptr<SamplerRun> KeepKnown(std::unique_ptr<SamplerRun> walk,
                                      const KnownPart& known) {
  if (!known.mask.defined()) return walk;
  return std::make_unique<KeepingWalk>(std::move(walk), known);
}

PreparedRef SeeBeside(const PreparedRef& prepared, const at::Tensor& beside,
                      const Placement& placement) {
  if (!beside.defined()) return prepared;
  const at::Tensor rows = beside.expand(
      {prepared->rows, beside.size(1), beside.size(2), beside.size(3)});
  const at::Tensor seen =
      rows.to(placement.device, placement.dtype).contiguous();
  auto seeing = std::make_shared<Prepared>(*prepared);
  seeing->tensors.push_back(seen);
  for (Prepared::Later& later : seeing->later) {
    auto with = std::make_shared<Prepared>(*later.prepared);
    with->tensors.push_back(seen);
    later.prepared = std::move(with);
  }
  return seeing;
}

}  // namespace genzo
