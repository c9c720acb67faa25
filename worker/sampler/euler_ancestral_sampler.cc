#include "worker/sampler/euler_ancestral_sampler.h"

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

EulerAncestralSampler::EulerAncestralSampler(const SchedulerConfig& config,
                                             const SamplerOptions& options,
                                             const SamplerStart& start)
    : EulerAncestralSampler(config, start,
                            Plan(config, options.steps, start.first_step)) {}

EulerAncestralSampler::EulerAncestralSampler(const SchedulerConfig& config,
                                             const SamplerStart& start,
                                             const WalkPlan& plan)
    : PlannedSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor EulerAncestralSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor EulerAncestralSampler::Step(const at::Tensor& prediction) {
  const double from = level().sigma;
  const AncestralStep step(from, plan_.levels[done_ + 1].sigma);
  denoised_ = CleanEstimate(config_, prediction, latent_, level());
  const at::Tensor derivative = (latent_ - denoised_) / from;
  return latent_ + derivative * (step.down - from) + Draw() * step.up;
}

}  // namespace genzo
