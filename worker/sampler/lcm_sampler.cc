#include "worker/sampler/lcm_sampler.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {

int LcmSampler::MaxSteps(const SchedulerConfig& config) {
  return std::min(config.original_inference_steps, config.num_train_timesteps);
}

WalkPlan LcmSampler::Plan(const SchedulerConfig& config, int steps,
                          int first_step) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  const std::vector<int> whole = DistilledTimesteps(config, steps);
  std::vector<NoiseLevel> levels;
  for (int t : whole) levels.push_back(LevelOf(alphas_cumprod[t]));
  levels.push_back({1, 0});
  return PlanSteps({whole.begin(), whole.end()}, levels, first_step);
}

LcmSampler::LcmSampler(const SchedulerConfig& config,
                       const SamplerOptions& options, const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

at::Tensor LcmSampler::Step(const at::Tensor& prediction) {
  // Boundary condition of consistency models (arXiv:2303.01469, section 3).
  constexpr double kSigmaData = 0.5;
  const double scaled = timestep() * config_.timestep_scaling;
  const double length = std::hypot(scaled, kSigmaData);
  const double skip = std::pow(kSigmaData / length, 2);
  const at::Tensor clean = Clipped(
      config_,
      CleanEstimate(config_.prediction_type, prediction, latent_, level()));
  denoised_ = scaled / length * clean + skip * latent_;
  if (done_ == plan_.evaluations() - 1) return denoised_;
  return Noised(denoised_, Draw(), plan_.levels[done_ + 1]);
}

}  // namespace genzo
