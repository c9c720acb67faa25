#include "worker/sampler/euler_sampler.h"

#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

std::vector<double> RespacedSigmas(const SchedulerConfig& config, int steps,
                                   const std::vector<double>& sigmas) {
  const double max = config.sigma_max.value_or(sigmas.front());
  const double min = config.sigma_min.value_or(sigmas.back());
  return config.sigma_spacing == SigmaSpacing::kKarras
             ? KarrasSigmas(max, min, steps)
             : ExponentialSigmas(max, min, steps);
}

}  // namespace

EulerSampler::Plan EulerSampler::MakePlan(const SchedulerConfig& config,
                                          int steps) {
  const std::vector<float> training =
      TrainingSigmas(MakeAlphasCumprodAboveZero(config));
  Plan plan;
  for (double t : SpacedTimesteps(config, steps)) {
    plan.timesteps.push_back(static_cast<float>(t));
    plan.sigmas.push_back(SigmaAt(training, static_cast<float>(t)));
  }
  if (config.log_linear_interpolation) {
    plan.sigmas =
        ExponentialSigmas(training.back(), training.front(), steps + 1);
  }
  if (config.sigma_spacing != SigmaSpacing::kTimesteps) {
    plan.sigmas = RespacedSigmas(config, steps, plan.sigmas);
    for (int i = 0; i < steps; ++i) {
      plan.timesteps[i] =
          static_cast<float>(TimestepOfSigma(training, plan.sigmas[i]));
    }
  }
  plan.sigmas.push_back(config.final_sigma_is_zero ? 0 : training.front());
  for (double& sigma : plan.sigmas) sigma = static_cast<float>(sigma);
  if (config.continuous_timesteps &&
      config.prediction_type == PredictionType::kVelocity) {
    for (int i = 0; i < steps; ++i) {
      plan.timesteps[i] = 0.25 * std::log(plan.sigmas[i]);
    }
  }
  return plan;
}

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerOptions& options,
                           const SamplerStart& start)
    : EulerSampler(config, start, MakePlan(config, options.steps)) {}

EulerSampler::EulerSampler(const SchedulerConfig& config,
                           const SamplerStart& start, const Plan& plan)
    : SteppedSampler(start.noise * InitialSigma(config, plan.sigmas),
                     plan.timesteps),
      config_(config),
      sigmas_(plan.sigmas) {}

at::Tensor EulerSampler::ScaledSample() const {
  return latent_ / std::hypot(sigmas_[index_], 1);
}

at::Tensor EulerSampler::Step(const at::Tensor& prediction) {
  const double sigma = sigmas_[index_];
  denoised_ = CleanEstimate(config_.prediction_type, prediction, latent_,
                            {.alpha = 1, .sigma = sigma});
  const at::Tensor derivative = (latent_ - denoised_) / sigma;
  return latent_ + derivative * (sigmas_[index_ + 1] - sigma);
}

}  // namespace genzo
