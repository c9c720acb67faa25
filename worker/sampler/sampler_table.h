#ifndef GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"
#include "worker/sampler/noise_source.h"
#include "worker/sampler/sampler.h"
#include "worker/sampler/scheduler_config.h"

namespace genzo {

using SamplerId = v1::GenerateRequest::Sampler;

// What a request chooses about its walk.
struct SamplerOptions {
  int steps = 25;
  double eta = 0;  // DDIM: share of DDPM noise
  // DDIM: derive the noise from the clipped clean estimate.
  bool use_clipped_model_output = false;
};

// A walk before its first step.
struct SamplerStart {
  at::Tensor noise;                     // [1, C, H, W] unit normal float32
  std::shared_ptr<NoiseSource> source;  // of later noise, for those that draw
};

// One row of the table of samplers.
struct SamplerSpec {
  SamplerId id;
  const char* name;             // as the command line spells it
  const char* scheduler_class;  // the reference class
  SigmaSpacing sigma_spacing;   // imposed unless kTimesteps
  std::unique_ptr<SamplerRun> (*create)(const SchedulerConfig& config,
                                        const SamplerOptions& options,
                                        const SamplerStart& start);
};

// All samplers. A new one is a file pair and a row.
absl::Span<const SamplerSpec> Samplers();

// The sampler that a model's scheduler configuration names by `_class_name`.
// UNIMPLEMENTED names the class.
absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler);

// A sampler that reads `scheduler` (a scheduler_config.json) as the reference
// class of `id` would. Errors name the key. INVALID_ARGUMENT if `steps` is not
// between the sampler's minimum and the number of trained timesteps.
absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSampler(
    SamplerId id, const nlohmann::json& scheduler,
    const SamplerOptions& options, const SamplerStart& start);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_
