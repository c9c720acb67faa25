#include "worker/sampler/euler_sampler.h"

#include <cmath>

#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"

namespace genzo {

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerOptions& options,
                           const SamplerStart& start)
    : EulerSampler(config, options, start,
                   Plan(config, options.steps, start.first_step)) {}

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerOptions& options,
                           const SamplerStart& start, const WalkPlan& plan)
    : PlannedSampler(plan, start, InitialSigma(config, plan.levels[0].sigma)),
      config_(config),
      // The reference counts its levels, of which log-linear ones are one more.
      steps_(options.steps +
             (config.log_linear_interpolation &&
                      config.sigma_spacing == SigmaSpacing::kTimesteps
                  ? 1
                  : 0)),
      churn_(options.churn) {}

at::Tensor EulerSampler::ScaledSample() const {
  return ScaledForNetwork(config_, latent_, level());
}

at::Tensor EulerSampler::Step(const at::Tensor& prediction) {
  const double sigma = level().sigma;
  const double raised = sigma * (1 + churn_.GammaAt(sigma, steps_));
  at::Tensor sample = latent_;
  if (raised > sigma) {
    sample = latent_ + Draw() * (churn_.noise *
                                 std::sqrt(raised * raised - sigma * sigma));
  }
  // The reference raises the level after the denoiser has looked, and takes a
  // velocity as one at the level looked at.
  const bool looked_at = config_.prediction_type == PredictionType::kVelocity &&
                         !config_.sigma_data.has_value();
  denoised_ = CleanEstimate(config_, prediction, sample,
                            {1, looked_at ? sigma : raised});
  const at::Tensor derivative = (sample - denoised_) / raised;
  return sample + derivative * (plan_.levels[done_ + 1].sigma - raised);
}

}  // namespace genzo
