#ifndef GENZO_WORKER_PIPELINE_DIT_PIPELINE_H_
#define GENZO_WORKER_PIPELINE_DIT_PIPELINE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/denoiser/dit.h"
#include "worker/pipeline/pipeline.h"
#include "worker/pipeline/stable_diffusion_parts.h"
#include "worker/weights/model_bytes.h"

namespace genzo {

// DiT: pictures of the classes that it was trained with (reference: diffusers'
// DiTPipeline). The class is class_label or, without one, the class that the
// folder's index calls as `prompt` does, "golden retriever"; with neither the
// picture is of no class. Guided images have two rows, that of no class first.
class DitPipeline : public Pipeline {
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
  PreparedRef PrepareEmpty() const override;
  Placement placement() const override { return parts_.placement; }
  int64_t weight_bytes() const override {
    return parts_.transformer_bytes + parts_.codec->weight_bytes();
  }

 private:
  // What the folder holds.
  struct Parts {
    Placement placement;
    DitConfig config;
    std::shared_ptr<const Denoiser> transformer;
    int64_t transformer_bytes = 0;
    std::shared_ptr<const AutoencoderKLCodec> codec;
    nlohmann::json scheduler;
    std::map<std::string, int64_t> labels;  // classes by each of their names
    PipelineTraits traits;
  };

  explicit DitPipeline(Parts parts) : parts_(std::move(parts)) {}
  static absl::Status LoadTransformer(const ModelIndex& index, Parts& parts);
  static absl::Status SetTraits(const ModelIndex& index, Parts& parts);

  // INVALID_ARGUMENT/INVALID_FIELD for a label or a name that is none.
  absl::StatusOr<int64_t> ClassOf(const v1::GenerateRequest& request) const;
  absl::StatusOr<Encoded> EncodeOne(const v1::GenerateRequest& request) const;
  absl::StatusOr<PreparedRef> Prepare(const std::vector<double>& classes) const;

  const Parts parts_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_DIT_PIPELINE_H_
