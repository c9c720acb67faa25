#include "worker/sampler/euler_sampler.h"

#include <cmath>

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerOptions& options,
                           const SamplerStart& start)
    : EulerSampler(config, start,
                   Plan(config, options.steps, start.first_step)) {}

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerStart& start, const WalkPlan& plan)
    : PlannedSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config) {}

at::Tensor EulerSampler::ScaledSample() const {
  return latent_ / std::hypot(level().sigma, 1);
}

at::Tensor EulerSampler::Step(const at::Tensor& prediction) {
  const double sigma = level().sigma;
  denoised_ =
      CleanEstimate(config_.prediction_type, prediction, latent_, level());
  const at::Tensor derivative = (latent_ - denoised_) / sigma;
  return latent_ + derivative * (plan_.levels[done_ + 1].sigma - sigma);
}

}  // namespace genzo
