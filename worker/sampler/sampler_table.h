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
  absl::Span<const SigmaSchedule> schedules;  // that it accepts, kDefault first
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

// A row of it; null if there is none.
const SamplerSpec* FindSampler(SamplerId id);

// The row of a reference class, also of those that no request can ask for:
// "DDIMInverseScheduler". Where several read that class, the one whose order
// and noise `scheduler` has. Null if there is none.
const SamplerSpec* FindSamplerOfClass(const std::string& scheduler_class,
                                      const nlohmann::json& scheduler);

// The sampler that a model's scheduler configuration names by `_class_name`.
// UNIMPLEMENTED names the class, INVALID_ARGUMENT the key whose value is none.
absl::StatusOr<SamplerId> DefaultSampler(const nlohmann::json& scheduler);

// "default", "karras", "exponential", "beta", "sgm_uniform", "simple",
// "ddim_uniform", "align_your_steps".
const char* NameOf(SigmaSchedule schedule);
SigmaSpacing SpacingOf(SigmaSchedule schedule);
// Whether it spreads the levels of flow matching, too.
bool GoesWithFlow(SigmaSchedule schedule);
// What a request calls it; kDefault for values that no request may have.
SigmaSchedule FromProto(v1::NoiseSchedule schedule);
v1::NoiseSchedule ToProto(SigmaSchedule schedule);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_SAMPLER_TABLE_H_
