#include "worker/sampler/score_vp_sampler.h"

#include <cmath>

#include "worker/sampler/prediction.h"
#include "worker/sampler/score_sde.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

NoiseLevel LevelAt(const SchedulerConfig& config, double time) {
  const double log_alpha =
      -0.25 * time * time * (config.beta_max - config.beta_min) -
      0.5 * time * config.beta_min;
  return {.alpha = std::exp(log_alpha),
          .sigma = std::sqrt(-std::expm1(2 * log_alpha))};
}

}  // namespace

WalkPlan ScoreVpSampler::Plan(const SchedulerConfig& config, int steps,
                              int first_step) {
  std::vector<Look> looks;
  for (double time : Linspace(1, config.sampling_eps, steps)) {
    looks.push_back({time, LevelAt(config, time)});
  }
  return PlanCorrected(looks, config.correct_steps, {1, 0}, first_step);
}

ScoreVpSampler::ScoreVpSampler(const SchedulerConfig& config,
                               const SamplerOptions& options,
                               const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

at::Tensor ScoreVpSampler::Step(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(PredictionType::kEpsilon, prediction, latent_, level());
  const at::Tensor score = -prediction / level().sigma;
  const double beta =
      config_.beta_min + timestep() * (config_.beta_max - config_.beta_min);
  const double length = 1.0 / plan_.steps();
  if (done_ % (config_.correct_steps + 1) < config_.correct_steps) {
    // Of the trained chain's step, however long the walk's are.
    const double alpha = 1 - beta / config_.num_train_timesteps;
    return Langevin(latent_, score, Draw(), config_.snr, alpha);
  }
  const at::Tensor noise = Draw();
  const at::Tensor mean = latent_ + beta * length * (0.5 * latent_ + score);
  if (done_ == plan_.evaluations() - 1) return mean;
  return mean + std::sqrt(beta * length) * noise;
}

}  // namespace genzo
