#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UNCLIP_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UNCLIP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/vision/clip_image_processor.h"
#include "worker/vision/clip_vision_encoder.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable unCLIP (reference: diffusers' StableUnCLIPImg2ImgPipeline): paints
// variations of a picture. The U-Net is told what a CLIP image encoder makes of
// it, a little noised, and how much; the walk begins at noise. Guided images
// have two rows, of which the negative prompt's sees no picture.
class StableDiffusionUnclip : public Pipeline {
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
  // Draws the noise of the picture's embedding, then the walk's.
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *codec_; }
  const Denoiser& denoiser() const override { return *denoiser_; }
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return placement_; }
  int64_t weight_bytes() const override {
    return weight_bytes_ + codec_->weight_bytes();
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

  explicit StableDiffusionUnclip(Parts parts);
  static absl::StatusOr<Parts> ReadParts(const ModelIndex& index,
                                         const Placement& placement);
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  absl::StatusOr<Encoded> EncodeOne(const EncodeTask& task,
                                    absl::Span<const TextEmbedding> rows) const;
  absl::StatusOr<std::vector<Stage>> PlanWith(SamplerId sampler,
                                              const nlohmann::json& scheduler,
                                              const ImageRequest& image,
                                              const Encoded& encoded) const;
  // What the U-Net is told of a picture's embedding [1, D]: [1, 2 D].
  at::Tensor Told(const at::Tensor& embedding, const at::Tensor& noise,
                  int level) const;
  int max_noise_level() const { return static_cast<int>(noising_.size()) - 1; }

  const Placement placement_;
  const std::shared_ptr<const ClipTower> text_;
  const ClipVisionEncoder image_encoder_;
  const ClipImageProcessor image_processor_;
  const at::Tensor mean_;             // [1, D] float32, of embeddings
  const at::Tensor deviation_;        // likewise
  const std::vector<float> noising_;  // alphas_cumprod
  const std::unique_ptr<const Denoiser> denoiser_;
  const std::shared_ptr<const AutoencoderKLCodec> codec_;
  const nlohmann::json scheduler_;
  const PipelineTraits traits_;
  const int64_t weight_bytes_;  // but for the codec's
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_UNCLIP_H_
