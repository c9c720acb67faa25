#include "worker/sampler/tcd_sampler.h"

#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

constexpr double kDefaultGamma = 0.3;

}  // namespace

// The last move leads to timestep 0, not to the picture.
WalkPlan TcdSampler::Plan(const SchedulerConfig& config, int steps,
                          int first_step) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  const std::vector<int> whole = DistilledTimesteps(config, steps);
  std::vector<NoiseLevel> levels;
  for (int t : whole) levels.push_back(LevelOf(alphas_cumprod[t]));
  levels.push_back(LevelOf(alphas_cumprod[0]));
  return PlanSteps({whole.begin(), whole.end()}, levels, first_step);
}

TcdSampler::TcdSampler(const SchedulerConfig& config,
                       const SamplerOptions& options, const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config),
      gamma_(options.eta.value_or(kDefaultGamma)),
      alphas_cumprod_(MakeAlphasCumprod(config)) {}

at::Tensor TcdSampler::Step(const at::Tensor& prediction) {
  denoised_ =
      CleanEstimate(config_.prediction_type, prediction, latent_, level());
  const at::Tensor noise =
      NoiseEstimate(config_.prediction_type, prediction, latent_, level());
  const bool last = done_ == plan_.evaluations() - 1;
  const double to = last ? 0 : plan_.timesteps[done_ + 1];
  const double alpha_prod = alphas_cumprod_[static_cast<size_t>(
      static_cast<float>(1 - gamma_) * static_cast<float>(to))];
  const at::Tensor beyond = Noised(denoised_, noise, LevelOf(alpha_prod));
  if (gamma_ <= 0 || last) return beyond;
  const double kept = alphas_cumprod_[static_cast<size_t>(to)] / alpha_prod;
  return std::sqrt(kept) * beyond + std::sqrt(1 - kept) * Draw();
}

}  // namespace genzo
