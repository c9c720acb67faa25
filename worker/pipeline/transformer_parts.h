#ifndef GENZO_WORKER_PIPELINE_TRANSFORMER_PARTS_H_
#define GENZO_WORKER_PIPELINE_TRANSFORMER_PARTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/pipeline/pipeline.h"
#include "worker/text/t5_encoder.h"
#include "worker/text/t5_tokenizer.h"
#include "worker/weights/component.h"

// What the pipelines of flow-matching transformers, SD3 and FLUX, share.

namespace genzo {

// A T5 encoder as it was read, which models may share.
struct T5Part {
  const T5Config config;
  const T5Encoder encoder;
  const int64_t weight_bytes;
};

// A tokenizer and the T5 encoder that reads its ids.
struct T5Tower {
  // Opens the components of these names. Errors name file and key or tensor,
  // also where the two do not fit each other.
  static absl::StatusOr<std::shared_ptr<const T5Tower>> Load(
      const ModelIndex& index, const std::string& tokenizer,
      const std::string& text_encoder, const Placement& placement);

  // Hidden states [texts, length, width] of texts cut or padded to `length`.
  at::Tensor Encode(const std::vector<std::string>& texts,
                    int64_t length) const;

  const T5Config& config() const { return part->config; }
  int64_t weight_bytes() const { return part->weight_bytes; }

  const T5Tokenizer tokenizer;
  const std::shared_ptr<const T5Part> part;
  const Placement placement;
};

// `text` unless it is empty: the prompt that an encoder reads which has none of
// its own.
inline const std::string& TextOr(const std::string& text,
                                 const std::string& otherwise) {
  return text.empty() ? otherwise : text;
}

// The step at which image-to-image of these families enters a walk, 4 of 10 at
// strength 0.6, 3 of 8: unlike StepsWalked() it rounds the share that is left
// out down (reference: get_timesteps of StableDiffusion3Img2ImgPipeline and
// FluxImg2ImgPipeline).
int FlowFirstStepOf(double strength, int steps);

// The walk that the request asks for, by `options` beside its steps.
// INVALID_ARGUMENT/INVALID_FIELD for steps that the schedule does not have.
absl::StatusOr<std::unique_ptr<SamplerRun>> CreateFlowWalk(
    SamplerId sampler, const nlohmann::json& scheduler,
    const v1::GenerateRequest& request, const SamplerOptions& options,
    SamplerStart start);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_TRANSFORMER_PARTS_H_
