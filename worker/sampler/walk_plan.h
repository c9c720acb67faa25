#ifndef GENZO_WORKER_SAMPLER_WALK_PLAN_H_
#define GENZO_WORKER_SAMPLER_WALK_PLAN_H_

#include <vector>

#include "worker/sampler/noise_level.h"
#include "worker/sampler/scheduler_config.h"

namespace genzo {

// All of a walk that is known before it begins. With n evaluations, `levels`
// and `steps_done` have n + 1 entries: [i] is how things stand when i of them
// are done. PLMS over 3 steps, which looks twice at the second timestep, has
//   timesteps   667  334  334  1
//   steps_done    0    0    1  2  3
struct WalkPlan {
  std::vector<double> timesteps;   // that the denoiser is told
  std::vector<NoiseLevel> levels;  // of the latent
  std::vector<int> steps_done;     // of the request's; begins at the first step

  int evaluations() const { return static_cast<int>(timesteps.size()); }
  int steps() const { return steps_done.back(); }
};

// A walk of one evaluation a step without its first `first_step` steps;
// `levels` has one entry more than `timesteps`. Empty if no step is left.
WalkPlan PlanSteps(const std::vector<double>& timesteps,
                   const std::vector<NoiseLevel>& levels, int first_step);

// Where the denoiser looks: what it is told, and how noisy the latent is.
struct Look {
  double timestep;
  NoiseLevel level;
};

// A walk of two evaluations a step but the last, from `firsts[i]` by
// `seconds[i]`; the last step goes from firsts.back() to `end`. Without its
// first `first_step` steps; empty if no step is left. `seconds` has one entry
// less than `firsts`, which has at least one.
WalkPlan PlanTwoStages(const std::vector<Look>& firsts,
                       const std::vector<Look>& seconds, const NoiseLevel& end,
                       int first_step);

// Where a walk of `steps` over sigmas looks, as diffusers'
// EulerDiscreteScheduler makes it of `config`, or its EDMEulerScheduler.
std::vector<Look> LooksOverSigmas(const SchedulerConfig& config, int steps);

// That walk with one evaluation a step, and as Heun's method looks.
WalkPlan PlanOverSigmas(const SchedulerConfig& config, int steps,
                        int first_step);
WalkPlan PlanHeun(const SchedulerConfig& config, int steps, int first_step);

// That walk as DPM-Solver-2 looks: also in the middle of each step but the
// last, in the logarithm of sigma.
struct MiddleWalk {
  bool ancestral = false;  // the middle of the way down, see AncestralStep
  bool whole = false;      // steps on Karras' sigmas are told whole timesteps
};
WalkPlan PlanMiddles(const SchedulerConfig& config, int steps, int first_step,
                     const MiddleWalk& walk);

// Where image-to-image of `strength`, 0 to 1, enters a walk of `steps`: at
// strength 1 with step 0, at 0.6 of 10 steps with step 4, at 0 nowhere
// (`steps`). See StepsWalked().
int FirstStepOf(double strength, int steps);

}  // namespace genzo

#endif  // GENZO_WORKER_SAMPLER_WALK_PLAN_H_
