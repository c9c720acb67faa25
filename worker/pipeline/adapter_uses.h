#ifndef GENZO_WORKER_PIPELINE_ADAPTER_USES_H_
#define GENZO_WORKER_PIPELINE_ADAPTER_USES_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/prompt_editing.h"
#include "worker/adapters/lora_adapter.h"
#include "worker/denoiser/denoiser.h"
#include "worker/text/text_cache.h"

// How the adapters of a request come to the networks of its pipeline.

namespace genzo {

struct EncodeTask;

// An adapter as one request uses it.
struct AdapterUse {
  std::shared_ptr<const LoraAdapter> adapter;
  std::string id;                  // of the file and what it holds now
  double weight = 1;               // in the denoiser
  double text_encoder_weight = 1;  // in every text encoder
  // In place of `weight`, for blocks of the denoiser by what their layers'
  // names begin with, "down_blocks.1"; of several the longest counts.
  std::map<std::string, double> blocks = {};
  // The steps that it is for, as shares of them: of 10 steps, 0.2 to 0.5 are
  // the third to the fifth. Reference: control_guidance_start and _end of
  // diffusers' ControlNet pipelines.
  double start = 0;
  double end = 1;
};
using AdapterUses = std::vector<AdapterUse>;

// What the denoiser is told of a request: `conditioning` with the adapters, one
// Prepared for every stretch of its `steps` steps that has others. Errors are
// Denoiser::Prepare()'s.
absl::StatusOr<PreparedRef> PrepareAdapted(const Denoiser& denoiser,
                                           Conditioning conditioning,
                                           const AdapterUses& adapters,
                                           int steps);

// The same where texts change with the steps: a conditioning, of the same
// sizes, for each text of a plan, and which of them is told from where on.
absl::StatusOr<PreparedRef> PrepareAdapted(
    const Denoiser& denoiser, std::vector<Conditioning> texts,
    const std::vector<TextPlan::From>& from, const AdapterUses& adapters,
    int steps);

// As TextCache::Encode, by an encoder with adapters.
using AdaptedEncode = std::function<std::vector<at::Tensor>(
    const std::vector<std::string>& texts, int64_t clip_skip,
    const EvalContext& adapters)>;

// What one encoder, `component`, makes of the texts of tasks with adapters of
// their own: EncodeLists() of those that have the same.
std::vector<std::vector<TextEmbedding>> EncodeAdapted(
    std::vector<std::vector<EncoderText>> texts,
    absl::Span<const EncodeTask> tasks, const std::string& component,
    bool together, const void* owner, TextCache& cache,
    const AdaptedEncode& encode);

}  // namespace genzo

#endif  // GENZO_WORKER_PIPELINE_ADAPTER_USES_H_
