#ifndef GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_
#define GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "genzo/v1/image_generation.pb.h"
#include "nlohmann/json.hpp"
#include "worker/sampler/sampler.h"
#include "worker/sampler/sampler_options.h"
#include "worker/sampler/scheduler_config.h"
#include "worker/sampler/walk_plan.h"

// The one place that knows which samplers there are and what a request calls
// them.

namespace genzo {

using SamplerId = v1::Sampler;

// How a walk's noise levels are spread.
enum class SigmaSchedule {
  kDefault,         // as the model's file says
  kKarras,          // arXiv:2206.00364, eq. 5, rho 7
  kExponential,     // evenly in the logarithm
  kBeta,            // arXiv:2407.12173
  kSgmUniform,      // even timesteps, the cleanest of one more left out
  kSimple,          // every n-th trained level, from the noisiest
  kDdimUniform,     // every n-th trained level, from the cleanest
  kAlignYourSteps,  // arXiv:2404.14507
};

// Which levels of its own a request may give a sampler.
enum class Explicit { kNone, kTimesteps, kSigmas, kEither };

// One row of the table of samplers.
struct SamplerSpec {
  SamplerId id;                 // UNSPECIFIED: no request may ask for it
  const char* name;             // as the command line spells it
  const char* scheduler_class;  // the reference class
  absl::Span<const SigmaSchedule> schedules;  // that it accepts
  bool inverts;  // walks from a clean sample up to noise
  int (*min_steps)(const SchedulerConfig& config);
  int (*max_steps)(const SchedulerConfig& config);
  // What the sampler is, whatever a file says; null: what the file says.
  void (*fix)(SchedulerConfig& config);
  Explicit takes;
  WalkPlan (*plan)(const SchedulerConfig& config, int steps, int first_step);
  std::unique_ptr<SamplerRun> (*create)(const SchedulerConfig& config,
                                        const SamplerOptions& options,
                                        const SamplerStart& start);
};

// The samplers that a request can ask for. A new one is a file pair and a row.
absl::Span<const SamplerSpec> Samplers();

// The sampler that a model's scheduler configuration names by `_class_name`,
// and where several read that class, the one whose order and noise it has.
// UNIMPLEMENTED names the class.
absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler);

// The schedules that a sampler accepts, kDefault first; empty if it is not
// known.
absl::Span<const SigmaSchedule> SchedulesOf(SamplerId id);

// What a request for that sampler must keep to.
struct SamplerNeeds {
  int min_steps = 1;
  bool takes_sigmas = false;
  bool takes_timesteps = false;
};
// Of `scheduler` as the sampler reads it. Errors are CreateSampler's.
absl::StatusOr<SamplerNeeds> NeedsOf(SamplerId id,
                                     const nlohmann::json& scheduler);

// "default", "karras", "exponential", "beta", "sgm_uniform", "simple",
// "ddim_uniform", "align_your_steps".
const char* NameOf(SigmaSchedule schedule);
// What a request calls it; kDefault for values that no request may have.
SigmaSchedule FromProto(v1::NoiseSchedule schedule);
v1::NoiseSchedule ToProto(SigmaSchedule schedule);

// A sampler that reads `scheduler` (a scheduler_config.json) as the reference
// class of `id` would. Errors of the file name its key. INVALID_ARGUMENT if
// the sampler does not know `schedule`, if `steps` is not between the sampler's
// minimum and maximum, which is at most the number of trained timesteps, if
// start.first_step is not below it, if explicit timesteps or sigmas are not the
// sampler's or not in order and range, or if `start` lacks a tensor.
absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSampler(
    SamplerId id, SigmaSchedule schedule, const nlohmann::json& scheduler,
    const SamplerOptions& options, const SamplerStart& start);

// The same for the sampler of a reference class, also of those that no request
// can ask for: "DDIMInverseScheduler". UNIMPLEMENTED names the class.
absl::StatusOr<std::unique_ptr<SamplerRun>> CreateSamplerOfClass(
    const std::string& scheduler_class, SigmaSchedule schedule,
    const nlohmann::json& scheduler, const SamplerOptions& options,
    const SamplerStart& start);

// What CreateSampler's run would do, without making one: timesteps, levels,
// evaluations of each step. Errors are CreateSampler's.
absl::StatusOr<WalkPlan> PlanOf(SamplerId id, SigmaSchedule schedule,
                                const nlohmann::json& scheduler,
                                const SamplerOptions& options, int first_step);

// Calls of the denoiser in that walk.
absl::StatusOr<int> EvaluationsOf(SamplerId id, SigmaSchedule schedule,
                                  const nlohmann::json& scheduler, int steps,
                                  int first_step);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_
