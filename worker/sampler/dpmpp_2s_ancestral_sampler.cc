#include "worker/sampler/dpmpp_2s_ancestral_sampler.h"

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

WalkPlan Dpmpp2sAncestralSampler::Plan(const SchedulerConfig& config, int steps,
                                       int first_step) {
  return PlanMiddles(config, steps, first_step, {.ancestral = true});
}

Dpmpp2sAncestralSampler::Dpmpp2sAncestralSampler(const SchedulerConfig& config,
                                                 const SamplerOptions& options,
                                                 const SamplerStart& start)
    : Dpmpp2sAncestralSampler(config, start,
                              Plan(config, options.steps, start.first_step)) {}

Dpmpp2sAncestralSampler::Dpmpp2sAncestralSampler(const SchedulerConfig& config,
                                                 const SamplerStart& start,
                                                 const WalkPlan& plan)
    : TwoStageSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor Dpmpp2sAncestralSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor Dpmpp2sAncestralSampler::Moved(const at::Tensor& sample, double from,
                                          double to) const {
  const double kept = to / from;
  return kept * sample + (1 - kept) * denoised_;
}

at::Tensor Dpmpp2sAncestralSampler::First(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  return Moved(latent_, level().sigma, plan_.levels[done_ + 1].sigma);
}

at::Tensor Dpmpp2sAncestralSampler::Second(const at::Tensor& prediction) {
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  const double from = plan_.levels[done_ - 1].sigma;
  const AncestralStep step(from, plan_.levels[done_ + 1].sigma);
  return Moved(step_sample_, from, step.down) + Draw() * step.up;
}

}  // namespace genzo
