#include "worker/sampler/dpmpp_sde_sampler.h"

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

WalkPlan DpmppSdeSampler::Plan(const SchedulerConfig& config, int steps,
                               int first_step) {
  return PlanMiddles(config, steps, first_step, {});
}

DpmppSdeSampler::DpmppSdeSampler(const SchedulerConfig& config,
                                 const SamplerOptions& options,
                                 const SamplerStart& start)
    : DpmppSdeSampler(config, start,
                      Plan(config, options.steps, start.first_step)) {}

DpmppSdeSampler::DpmppSdeSampler(const SchedulerConfig& config,
                                 const SamplerStart& start,
                                 const WalkPlan& plan)
    : TwoStageSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor DpmppSdeSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor DpmppSdeSampler::Moved(const at::Tensor& sample, double from,
                                  double to) {
  const AncestralStep step(from, to);
  const double kept = step.down / from;
  const at::Tensor moved = kept * sample + (1 - kept) * denoised_;
  return to > 0 ? moved + Between(from, to) * step.up : moved;
}

at::Tensor DpmppSdeSampler::First(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  return Moved(latent_, level().sigma, plan_.levels[done_ + 1].sigma);
}

at::Tensor DpmppSdeSampler::Second(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  return Moved(step_sample_, plan_.levels[done_ - 1].sigma,
               plan_.levels[done_ + 1].sigma);
}

}  // namespace genzo
