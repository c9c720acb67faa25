#ifndef GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_3_H_
#define GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_3_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/denoiser/mmdit.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/pipeline/transformer_parts.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// Stable Diffusion 3 and 3.5, from text and from pictures: two CLIP encoders, a
// T5 that a folder may leave out, an MMDiT and flow matching (reference:
// diffusers' StableDiffusion3Pipeline and StableDiffusion3Img2ImgPipeline).
// Guided images have two rows, the negative prompts' first. An encoder without
// a prompt of its own reads `prompt`.
class StableDiffusion3 : public Pipeline {
 public:
  // For the table: see there.
  static absl::StatusOr<std::unique_ptr<const Pipeline>> Load(
      const ModelIndex& index, const Placement& placement);
  static absl::StatusOr<ModelBytes> WeightBytes(const ModelIndex& index,
                                                const Placement& placement);

  const PipelineTraits& traits() const override { return parts_.traits; }
  std::vector<absl::StatusOr<Encoded>> Encode(
      absl::Span<const EncodeTask> tasks, bool together,
      TextCache& texts) const override;
  absl::StatusOr<std::vector<Stage>> Plan(
      const ImageRequest& image, const Encoded& encoded) const override;
  const LatentCodec& codec() const override { return *parts_.codec; }
  const Denoiser& denoiser() const override { return *parts_.transformer; }
  std::shared_ptr<const AdapterTargets> adapter_targets() const override {
    return parts_.targets;
  }
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return parts_.placement; }
  int64_t weight_bytes() const override;

 private:
  // What the folder holds.
  struct Parts {
    Placement placement;
    std::shared_ptr<const ClipTower> clip, clip_2;
    std::shared_ptr<const T5Tower> t5;  // null: the folder has none
    MmditConfig config;
    std::shared_ptr<const Denoiser> transformer;
    int64_t transformer_bytes = 0;
    std::shared_ptr<const AutoencoderKLCodec> codec;
    nlohmann::json scheduler;
    PipelineTraits traits;
    std::shared_ptr<AdapterTargets> targets =
        std::make_shared<AdapterTargets>();
  };

  explicit StableDiffusion3(Parts parts) : parts_(std::move(parts)) {}
  static absl::Status LoadTransformer(const ModelIndex& index, Parts& parts);
  // Whether the components fit each other.
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  static absl::Status SetTraits(const ModelIndex& index, Parts& parts);

  // What each encoder makes of the rows of a task.
  struct Embeddings {
    std::vector<TextEmbedding> clip, clip_2;
    std::vector<TextEmbedding> t5;  // zeros without T5
  };
  absl::StatusOr<PreparedRef> Prepare(const Embeddings& rows,
                                      const AdapterUses& adapters,
                                      int steps) const;
  std::vector<Embeddings> EncodeTexts(absl::Span<const EncodeTask> tasks,
                                      bool together, TextCache& texts) const;
  int RowsOfRequest(const v1::GenerateRequest& request) const {
    return RowsOf(parts_.traits, request.guidance_scale());
  }

  const Parts parts_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_STABLE_DIFFUSION_3_H_
