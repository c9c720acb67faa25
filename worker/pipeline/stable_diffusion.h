#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/depth/dpt.h"
#include "worker/pipeline/masked_picture.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/prompt_rows.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/weights/component.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable Diffusion 1.x and 2.x, from text and from pictures: a CLIP text
// encoder, a U-Net, an autoencoder and a schedule (reference: diffusers'
// StableDiffusionPipeline and StableDiffusionImg2ImgPipeline). Guided images
// have two rows, the negative prompt's first. What the U-Net takes tells its
// relatives: one that embeds the guidance scale
// (LatentConsistencyModelPipeline) needs one row, one with twice the channels
// follows instructions about a picture (StableDiffusionInstructPix2PixPipeline)
// in three, one with the channels of a mask and a masked picture besides paints
// the masked part alone (StableDiffusionInpaintPipeline), and one with a single
// channel more keeps to how deep a picture is
// (StableDiffusionDepth2ImgPipeline), which its folder's depth estimator tells.
class StableDiffusion : public Pipeline {
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
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *codec_; }
  const Denoiser& denoiser() const override { return *denoiser_; }
  std::shared_ptr<const AdapterTargets> adapter_targets() const override {
    return targets_;
  }
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

  // Embeddings [texts, 77, D] in the model's type on its device, with the text
  // encoder's last `clip_skip` layers left out.
  at::Tensor EncodeTexts(const std::vector<std::string>& texts,
                         int64_t clip_skip,
                         const EvalContext& adapters = NoAdapters()) const;
  const ClipTokenizer& tokenizer() const { return text_->tokenizer; }

 private:
  // What the folder holds, before modules are built from it.
  struct Parts;

  explicit StableDiffusion(Parts parts);
  static absl::StatusOr<Parts> ReadParts(const ModelIndex& index,
                                         const Placement& placement);
  // Whether the components fit each other.
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  // The folder's, if the U-Net sees depth and there is one.
  static absl::Status LoadDepthEstimator(const ModelIndex& index, Parts& parts);
  // What a job's rows read, in their order, for every text of the plan.
  PromptRows PromptsOf(const v1::GenerateRequest& request, const TextPlan& plan,
                       const LearnedWords& learned) const;
  absl::StatusOr<std::vector<Stage>> PlanWith(SamplerId sampler,
                                              const nlohmann::json& scheduler,
                                              const ImageRequest& image,
                                              const Encoded& encoded) const;
  absl::StatusOr<Encoded> EncodeOne(const EncodeTask& task,
                                    const TextPlan& plan,
                                    absl::Span<const TextEmbedding> rows) const;
  // The picture beside the sample, for each row.
  at::Tensor PictureRows(const LatentDistribution& picture, int64_t rows) const;

  // What the U-Net sees beside the sample, [rows, C', h, w], where that is the
  // same for all images of the task; else undefined.
  absl::StatusOr<at::Tensor> Beside(const EncodeTask& task,
                                    const Encoded& encoded, int64_t rows) const;
  // FAILED_PRECONDITION where the folder has nothing to tell it by.
  absl::StatusOr<at::Tensor> DepthOf(const EncodeTask& task) const;

  bool follows_picture() const { return traits_.guided_rows == 3; }

  const Placement placement_;
  const std::shared_ptr<const ClipTower> text_;
  const bool embeds_guidance_;
  const std::vector<size_t> picture_order_;  // PictureLayers::order
  const MaskSight sight_;
  const int64_t channels_beside_;  // the sample's
  const std::unique_ptr<const Denoiser> denoiser_;
  const std::unique_ptr<const Dpt> depth_estimator_;  // may be null
  const std::shared_ptr<const AutoencoderKLCodec> codec_;
  const nlohmann::json scheduler_;
  PipelineTraits traits_;
  const std::shared_ptr<AdapterTargets> targets_;
  const int64_t weight_bytes_;  // but for the codec's
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_H_
