#include "worker/sampler/heun_sampler.h"

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

HeunSampler::HeunSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : HeunSampler(config, start,
                  Plan(config, options.steps, start.first_step)) {}

HeunSampler::HeunSampler(const SchedulerConfig& config,
                         const SamplerStart& start, const WalkPlan& plan)
    : TwoStageSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor HeunSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor HeunSampler::Slope(const at::Tensor& prediction) {
  denoised_ =
      Clipped(config_, CleanEstimate(config_, prediction, latent_, level()));
  return (latent_ - denoised_) / level().sigma;
}

at::Tensor HeunSampler::First(const at::Tensor& prediction) {
  first_slope_ = Slope(prediction);
  return latent_ +
         first_slope_ * (plan_.levels[done_ + 1].sigma - level().sigma);
}

at::Tensor HeunSampler::Second(const at::Tensor& prediction) {
  const at::Tensor mean = (first_slope_ + Slope(prediction)) / 2;
  return step_sample_ + mean * (level().sigma - plan_.levels[done_ - 1].sigma);
}

}  // namespace genzo
