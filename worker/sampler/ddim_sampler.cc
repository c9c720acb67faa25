#include "worker/sampler/ddim_sampler.h"

#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {

WalkPlan DdimSampler::Plan(const SchedulerConfig& config, int steps,
                           int first_step) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  const std::vector<int> whole = WholeTimesteps(config, steps);
  std::vector<NoiseLevel> levels;
  for (int t : whole) levels.push_back(LevelOf(alphas_cumprod[t]));
  const int last = PreviousTimestep(config, whole.back(), steps);
  levels.push_back(LevelOf(AlphaProdAt(config, alphas_cumprod, last)));
  return PlanSteps({whole.begin(), whole.end()}, levels, first_step);
}

DdimSampler::DdimSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config),
      options_(options),
      alphas_cumprod_(MakeAlphasCumprod(config)) {}

at::Tensor DdimSampler::Step(const at::Tensor& prediction) {
  const int t = static_cast<int>(timestep());
  const int previous_t = PreviousTimestep(config_, t, options_.steps);
  const double alpha_prod = alphas_cumprod_[t];
  const double alpha_prod_previous =
      AlphaProdAt(config_, alphas_cumprod_, previous_t);
  const NoiseLevel level = LevelOf(alpha_prod);

  at::Tensor noise =
      NoiseEstimate(config_.prediction_type, prediction, latent_, level);
  denoised_ = Clipped(config_, CleanEstimate(config_.prediction_type,
                                             prediction, latent_, level));
  if (options_.use_clipped_model_output) {
    noise = (latent_ - level.alpha * denoised_) / level.sigma;
  }

  const double variance = (1 - alpha_prod_previous) / (1 - alpha_prod) *
                          (1 - alpha_prod / alpha_prod_previous);
  const double eta = options_.eta.value_or(0);
  const double deviation = eta * std::sqrt(variance);
  const double direction =
      std::sqrt(std::max(0.0, 1 - alpha_prod_previous - deviation * deviation));
  const at::Tensor previous =
      std::sqrt(alpha_prod_previous) * denoised_ + direction * noise;
  if (eta <= 0) return previous;
  return previous + deviation * Draw();
}

}  // namespace genzo
