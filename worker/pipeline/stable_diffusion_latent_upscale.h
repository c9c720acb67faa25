#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_LATENT_UPSCALE_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_LATENT_UPSCALE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable Diffusion's latent upscaler: makes a picture twice as wide and high.
// The U-Net sees the small picture's latent, every place four times, beside a
// latent of the large one's size (reference: diffusers'
// StableDiffusionLatentUpscalePipeline). Guided images have two rows, the
// negative prompt's first; at a guidance_scale of 0 the prompt is not read.
class StableDiffusionLatentUpscale : public Pipeline {
 public:
  // For the table: see there.
  static absl::StatusOr<std::unique_ptr<const Pipeline>> Load(
      const ModelIndex& index, const Placement& placement);
  static absl::StatusOr<ModelBytes> WeightBytes(const ModelIndex& index,
                                                const Placement& placement);

  const PipelineTraits& traits() const override { return traits_; }
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const override;
  // Draws the small picture from where the encoder puts it, then the walk's
  // noise.
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *codec_; }
  const Denoiser& denoiser() const override { return *denoiser_; }
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return placement_; }
  int64_t weight_bytes() const override {
    return text_->weight_bytes + unet_bytes_ + codec_->weight_bytes();
  }

 private:
  struct Parts;

  explicit StableDiffusionLatentUpscale(Parts parts);
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  // Hidden states and pooled vectors [texts, ...] of texts.
  TextEmbedding EncodeTexts(const std::vector<std::string>& texts,
                            int64_t clip_skip) const;
  // What the denoiser sees of texts' rows beside the picture.
  static Conditioning ConditionOn(const std::vector<TextEmbedding>& rows);

  const Placement placement_;
  const std::shared_ptr<const ClipTower> text_;
  const std::unique_ptr<const Denoiser> denoiser_;
  const std::shared_ptr<const AutoencoderKLCodec> codec_;
  const nlohmann::json scheduler_;
  const PipelineTraits traits_;
  const int64_t unet_bytes_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_LATENT_UPSCALE_H_
