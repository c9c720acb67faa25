#include "worker/sampler/ddim_inverse_sampler.h"

#include <algorithm>

#include "ATen/ops/clamp.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {

// The denoiser is told the timestep that a move leads to; the latent is one
// stride cleaner, before the first move the picture.
WalkPlan DdimInverseSampler::Plan(const SchedulerConfig& config, int steps,
                                  int first_step) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  std::vector<int> whole = WholeTimesteps(config, steps);
  std::reverse(whole.begin(), whole.end());
  const int stride = config.num_train_timesteps / steps;
  std::vector<NoiseLevel> levels;
  for (int t : whole) {
    levels.push_back(LevelOf(AlphaProdAt(config, alphas_cumprod, t - stride)));
  }
  levels.push_back(LevelOf(alphas_cumprod[whole.back()]));
  const size_t walked = whole.size() - static_cast<size_t>(first_step);
  levels.resize(walked + 1);
  return PlanSteps({whole.begin(), whole.begin() + walked}, levels,
                   /*first_step=*/0);
}

DdimInverseSampler::DdimInverseSampler(const SchedulerConfig& config,
                                       const SamplerOptions& options,
                                       const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step),
                     {.noise = start.sample}),
      config_(config),
      alphas_cumprod_(MakeAlphasCumprod(config)) {}

at::Tensor DdimInverseSampler::Step(const at::Tensor& prediction) {
  const at::Tensor noise =
      NoiseEstimate(config_.prediction_type, prediction, latent_, level());
  denoised_ =
      CleanEstimate(config_.prediction_type, prediction, latent_, level());
  if (config_.clip_sample) {
    denoised_ = at::clamp(denoised_, -config_.clip_sample_range,
                          config_.clip_sample_range);
  }
  return Noised(denoised_, noise,
                LevelOf(alphas_cumprod_[static_cast<size_t>(timestep())]));
}

}  // namespace genzo
