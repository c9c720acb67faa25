#include "worker/sampler/flow_heun_sampler.h"

#include "worker/sampler/flow_sigmas.h"
#include "worker/sampler/prediction.h"

namespace genzo {

WalkPlan FlowHeunSampler::Plan(const SchedulerConfig& config, int steps,
                               int first_step) {
  std::vector<Look> looks;
  for (double sigma : FlowSigmas(config, steps)) {
    looks.push_back({FlowTimestep(config, sigma), FlowLevel(sigma)});
  }
  const std::vector<Look> ends(looks.begin() + 1, looks.end());
  return PlanTwoStages(looks, ends, FlowLevel(0), first_step);
}

FlowHeunSampler::FlowHeunSampler(const SchedulerConfig& config,
                                 const SamplerOptions& options,
                                 const SamplerStart& start)
    : TwoStageSampler(Plan(config, options.steps, start.first_step), start) {}

at::Tensor FlowHeunSampler::First(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(PredictionType::kFlow, prediction, latent_, level());
  first_slope_ = prediction;
  return latent_ + (plan_.levels[done_ + 1].sigma - level().sigma) * prediction;
}

at::Tensor FlowHeunSampler::Second(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(PredictionType::kFlow, prediction, latent_, level());
  return step_sample_ + (level().sigma - plan_.levels[done_ - 1].sigma) *
                            (0.5 * (first_slope_ + prediction));
}

}  // namespace genzo
