#include "worker/sampler/dpm2_sampler.h"

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

WalkPlan Dpm2Sampler::Plan(const SchedulerConfig& config, int steps,
                           int first_step) {
  return PlanMiddles(config, steps, first_step, {.whole = true});
}

Dpm2Sampler::Dpm2Sampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : Dpm2Sampler(config, start,
                  Plan(config, options.steps, start.first_step)) {}

Dpm2Sampler::Dpm2Sampler(const SchedulerConfig& config,
                         const SamplerStart& start, const WalkPlan& plan)
    : TwoStageSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor Dpm2Sampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor Dpm2Sampler::First(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  const double sigma = level().sigma;
  return latent_ + (latent_ - denoised_) / sigma *
                       (plan_.levels[done_ + 1].sigma - sigma);
}

at::Tensor Dpm2Sampler::Second(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  const double step =
      plan_.levels[done_ + 1].sigma - plan_.levels[done_ - 1].sigma;
  return step_sample_ + (latent_ - denoised_) / level().sigma * step;
}

}  // namespace genzo
