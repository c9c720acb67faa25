#ifndef GENZO_WORKER_PIPELINE_FLUX_H_
#define GENZO_WORKER_PIPELINE_FLUX_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/pipeline/masked_picture.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/pipeline/transformer_parts.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// FLUX.1 schnell and dev, from text and from pictures: CLIP's vector of the
// prompt, T5's tokens of it (or of prompt_2), a transformer and flow matching
// (reference: diffusers' FluxPipeline and FluxImg2ImgPipeline). dev is told
// guidance_scale, schnell knows none; either way an image has one row, and two
// where true_guidance_scale is over 1, the negative prompt's first. Latents are
// packed by the transformer alone. A transformer with the channels of a masked
// picture and its mask besides paints masked parts alone (FluxFillPipeline).
class Flux : public Pipeline {
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
  int64_t weight_bytes() const override {
    return parts_.clip->weight_bytes + parts_.t5->weight_bytes() +
           parts_.transformer_bytes + parts_.codec->weight_bytes();
  }

 private:
  // What the folder holds.
  struct Parts {
    Placement placement;
    std::shared_ptr<const ClipTower> clip;
    std::shared_ptr<const T5Tower> t5;
    FluxConfig config;
    std::shared_ptr<const Denoiser> transformer;
    int64_t transformer_bytes = 0;
    std::shared_ptr<const AutoencoderKLCodec> codec;
    nlohmann::json scheduler;
    PipelineTraits traits;
    std::shared_ptr<AdapterTargets> targets =
        std::make_shared<AdapterTargets>();
  };

  explicit Flux(Parts parts) : parts_(std::move(parts)) {}
  static absl::Status LoadTransformer(const ModelIndex& index, Parts& parts);
  // Whether the components fit each other.
  static absl::Status CheckFit(const std::string& folder, const Parts& parts);
  static absl::Status SetTraits(const ModelIndex& index, Parts& parts);

  MaskSight sight() const {
    return parts_.config.in_channels > parts_.config.out_channels
               ? MaskSight::kPlaces
               : MaskSight::kNothing;
  }
  int64_t SequenceLength(const v1::GenerateRequest& request) const;
  // What the encoders make of a task's rows: CLIP's vectors, T5's tokens.
  absl::StatusOr<Encoded> Prepare(const EncodeTask& task,
                                  const std::vector<TextEmbedding>& clip,
                                  const std::vector<TextEmbedding>& t5) const;

  const Parts parts_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_FLUX_H_
