#ifndef GENZO_WORKER_SAMPLER_CREATE_SAMPLER_H_
#define GENZO_WORKER_SAMPLER_CREATE_SAMPLER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/sampler/sampler.h"
#include "worker/sampler/sampler_options.h"
#include "worker/sampler/sampler_table.h"
#include "worker/sampler/walk_plan.h"

// From a row of the table of samplers, a model's file and what a request
// chooses to a walk.

namespace genzo {

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

// What a request for that sampler must keep to.
struct SamplerNeeds {
  int min_steps = 1;
  bool takes_sigmas = false;
  bool takes_timesteps = false;
  // That go with the model, kDefault first.
  std::vector<SigmaSchedule> schedules = {SigmaSchedule::kDefault};
};
// Of `scheduler` as the sampler reads it. Errors are CreateSampler's.
absl::StatusOr<SamplerNeeds> NeedsOf(SamplerId id,
                                     const nlohmann::json& scheduler);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_CREATE_SAMPLER_H_
