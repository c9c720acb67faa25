#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_XL_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_XL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/pipeline/masked_picture.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/prompt_rows.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable Diffusion XL (Podell et al., arXiv:2307.01952; reference: diffusers'
// StableDiffusionXLPipeline and StableDiffusionXLImg2ImgPipeline): two text
// encoders whose states stand side by side, the second's pooled text, and
// numbers that tell sizes and crops. Its refiner has the second encoder alone
// and an aesthetic score in place of the target size. A U-Net with the channels
// of a mask and a masked picture besides the sample's paints masked parts alone
// (StableDiffusionXLInpaintPipeline). A base with a refiner beside its
// components (ModelIndex) hands walks over to it; what that lacks of text
// encoder and autoencoder is the base's.
class StableDiffusionXL : public Pipeline {
 public:
  // For the table: see there.
  static absl::StatusOr<std::unique_ptr<const Pipeline>> Load(
      const ModelIndex& index, const Placement& placement);
  static absl::StatusOr<ModelBytes> WeightBytes(const ModelIndex& index,
                                                const Placement& placement);

  const PipelineTraits& traits() const override { return traits_; }
  // What is prepared is the base's rows, then the refiner's where the request
  // asks for it.
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const override;
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *codec_; }
  const Denoiser& denoiser() const override { return *denoiser_; }
  std::shared_ptr<const AdapterTargets> adapter_targets() const override {
    return targets_;
  }
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return placement_; }
  int64_t weight_bytes() const override;

  // The same walk down another schedule: `scheduler` is a
  // scheduler_config.json, whose class names the sampler. Where the request has
  // refiner.switch_at and there is no refiner, a base ends there and a refiner
  // begins there, at a latent that it is given by Replace().
  absl::StatusOr<std::vector<Stage>> PlanBy(const nlohmann::json& scheduler,
                                            const ImageRequest& image,
                                            const Encoded& encoded) const;

  // States [texts, 77, D] of the encoders side by side and the pooled texts, in
  // the model's type on its device. `texts_2` are for the second encoder.
  ClipTextStates EncodeTexts(const std::vector<std::string>& texts,
                             const std::vector<std::string>& texts_2,
                             int64_t clip_skip) const;
  // Whether an empty negative prompt is zeros rather than an empty text.
  bool zeroes_empty_negative() const { return zeroes_empty_negative_; }
  // Null for a refiner, which has the second alone.
  const ClipTower* first_text() const { return text_.get(); }
  const ClipTower& second_text() const { return *text_2_; }

 private:
  // What the folder holds, before modules are built from it.
  struct Parts;

  explicit StableDiffusionXL(Parts parts);
  // `base` lends what a refiner's folder lacks; null for a folder of its own.
  static absl::StatusOr<std::unique_ptr<StableDiffusionXL>> LoadBeside(
      const StableDiffusionXL* base, const ModelIndex& index,
      const Placement& placement);
  static absl::StatusOr<Parts> ReadParts(const StableDiffusionXL* base,
                                         const ModelIndex& index,
                                         const Placement& placement);
  // Whether the components fit each other; fills in what that decides.
  static absl::Status CheckFit(const std::string& folder, Parts& parts);

  bool is_refiner() const { return text_ == nullptr; }
  // Of every text of the plan.
  PromptRows PromptsOf(const v1::GenerateRequest& request, const TextPlan& plan,
                       bool second, const LearnedWords& learned) const;
  std::vector<absl::StatusOr<Encoded>> PrepareAll(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const;
  absl::StatusOr<Encoded> PrepareRows(
      const EncodeTask& task, const TextPlan& plan,
      absl::Span<const TextEmbedding> states,
      absl::Span<const TextEmbedding> states_2) const;
  // What the encoders made of one text, of which the numbers are to be added.
  Conditioning TextsOf(const RequestTexts& texts,
                       absl::Span<const TextEmbedding> states,
                       absl::Span<const TextEmbedding> states_2) const;
  // Numbers of sizes, crops and scores, [rows, 6 or 5].
  at::Tensor NumbersOf(const v1::GenerateRequest& request, int64_t rows) const;
  absl::StatusOr<std::vector<Stage>> PlanWith(SamplerId sampler,
                                              const nlohmann::json& scheduler,
                                              const ImageRequest& image,
                                              const Encoded& encoded) const;
  // Whose walk begins at the request's step `first_step`.
  Stage StageOf(const v1::GenerateRequest& request, PreparedRef prepared,
                std::unique_ptr<SamplerRun> walk, int first_step = 0,
                std::vector<StageControl> controls = {}) const;
  // A stage that goes on from another's latent at `step` of its own walk.
  absl::StatusOr<Stage> StageFrom(int step, SamplerId sampler,
                                  const nlohmann::json& scheduler,
                                  const ImageRequest& image,
                                  PreparedRef prepared,
                                  const KnownPart& known) const;

  const Placement placement_;
  const std::shared_ptr<const ClipTower> text_;
  const std::shared_ptr<const ClipTower> text_2_;
  const bool embeds_guidance_;
  const std::vector<size_t> picture_order_;  // PictureLayers::order
  const bool zeroes_empty_negative_;
  const MaskSight sight_;
  const std::unique_ptr<const Denoiser> denoiser_;
  const std::shared_ptr<const AutoencoderKLCodec> codec_;
  const nlohmann::json scheduler_;
  PipelineTraits traits_;
  std::shared_ptr<AdapterTargets> targets_;  // null for a refiner
  const int64_t unet_bytes_;
  std::unique_ptr<const StableDiffusionXL> refiner_;  // may be null
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_XL_H_
