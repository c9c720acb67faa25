#include "worker/sampler/flow_euler_sampler.h"

#include "worker/sampler/flow_sigmas.h"
#include "worker/sampler/prediction.h"

namespace genzo {

WalkPlan FlowEulerSampler::Plan(const SchedulerConfig& config, int steps,
                                int first_step) {
  std::vector<double> timesteps;
  std::vector<NoiseLevel> levels;
  for (double sigma : FlowSigmas(config, steps)) {
    timesteps.push_back(FlowTimestep(config, sigma));
    levels.push_back(FlowLevel(sigma));
  }
  levels.push_back(FlowLevel(0));
  return PlanSteps(timesteps, levels, first_step);
}

FlowEulerSampler::FlowEulerSampler(const SchedulerConfig& config,
                                   const SamplerOptions& options,
                                   const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      stochastic_(config.stochastic_sampling) {}

at::Tensor FlowEulerSampler::Step(const at::Tensor& prediction) {
  const NoiseLevel& to = plan_.levels[done_ + 1];
  denoised_ =
      CleanEstimate(PredictionType::kFlow, prediction, latent_, level());
  if (stochastic_) return Noised(denoised_, Draw(), to);
  return latent_ + (to.sigma - level().sigma) * prediction;
}

}  // namespace genzo
