#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UPSCALE_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UPSCALE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/sampler/noise_level.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable Diffusion's upscaler: makes a picture four times as wide and high. The
// U-Net sees the small picture, a little noised, beside a latent of its size
// (reference: diffusers' StableDiffusionUpscalePipeline). Guided images have
// two rows, the negative prompt's first.
class StableDiffusionUpscale : public Pipeline {
 public:
  // Timestep of the noise on the small picture, unless a request has another:
  // the reference's default, and its max_noise_level less one.
  static constexpr int kNoiseLevel = 20;
  static constexpr int kMaxNoiseLevel = 349;

  // For the table: see there.
  static absl::StatusOr<std::unique_ptr<const Pipeline>> Load(
      const ModelIndex& index, const Placement& placement);
  static absl::StatusOr<ModelBytes> WeightBytes(const ModelIndex& index,
                                                const Placement& placement);

  const PipelineTraits& traits() const override { return traits_; }
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const override;
  // Draws the noise of the small picture, then the walk's.
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *codec_; }
  const Denoiser& denoiser() const override { return *denoiser_; }
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return placement_; }
  int64_t weight_bytes() const override {
    return text_->weight_bytes + unet_bytes_ + codec_->weight_bytes();
  }

  // The same walk down another schedule: `scheduler` is a
  // scheduler_config.json, whose class names the sampler.
  absl::StatusOr<std::vector<Stage>> PlanBy(const nlohmann::json& scheduler,
                                            const ImageRequest& image,
                                            const Encoded& encoded) const;

  // As StableDiffusion has them.
  at::Tensor EncodeTexts(const std::vector<std::string>& texts,
                         int64_t clip_skip) const;
  const ClipTokenizer& tokenizer() const { return text_->tokenizer; }

 private:
  struct Parts;

  explicit StableDiffusionUpscale(Parts parts);
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  absl::StatusOr<std::vector<Stage>> PlanWith(SamplerId sampler,
                                              const nlohmann::json& scheduler,
                                              const ImageRequest& image,
                                              const Encoded& encoded) const;

  const Placement placement_;
  const std::shared_ptr<const ClipTower> text_;
  const std::unique_ptr<const Denoiser> denoiser_;
  const std::shared_ptr<const AutoencoderKLCodec> codec_;
  const nlohmann::json scheduler_;
  const std::vector<float> noising_;  // alphas_cumprod of the small picture
  const PipelineTraits traits_;
  const int64_t unet_bytes_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UPSCALE_H_
