#include "worker/sampler/ddpm_sampler.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/chunk.h"
#include "ATen/ops/exp.h"
#include "ATen/ops/scalar_tensor.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/timesteps.h"

namespace genzo {

WalkPlan DdpmSampler::Plan(const SchedulerConfig& config, int steps,
                           int first_step) {
  const std::vector<float> alphas_cumprod = MakeAlphasCumprod(config);
  const std::vector<int> whole = WholeTimesteps(config, steps);
  std::vector<NoiseLevel> levels;
  for (int t : whole) levels.push_back(LevelOf(alphas_cumprod[t]));
  levels.push_back({1, 0});
  return PlanSteps({whole.begin(), whole.end()}, levels, first_step);
}

DdpmSampler::DdpmSampler(const SchedulerConfig& config,
                         const SamplerOptions& options,
                         const SamplerStart& start)
    : PlannedSampler(Plan(config, options.steps, start.first_step), start),
      config_(config) {}

at::Tensor DdpmSampler::Deviation(double posterior, double beta,
                                  const at::Tensor& learned) const {
  switch (config_.variance) {
    case DdpmVariance::kFixedSmall:
      break;
    case DdpmVariance::kFixedLarge:
      return at::scalar_tensor(std::sqrt(beta));
    case DdpmVariance::kLearned:
      if (learned.defined()) return learned.sqrt();
      break;
    case DdpmVariance::kLearnedRange:
      if (!learned.defined()) break;
      // arXiv:2102.09672, eq. 15.
      const at::Tensor share = (learned + 1) / 2;
      return at::exp(
          0.5 * (share * std::log(beta) + (1 - share) * std::log(posterior)));
  }
  return at::scalar_tensor(std::sqrt(posterior));
}

at::Tensor DdpmSampler::Step(const at::Tensor& prediction) {
  at::Tensor mean = prediction;
  at::Tensor learned;
  if (prediction.size(1) == 2 * latent_.size(1)) {
    const std::vector<at::Tensor> halves = prediction.chunk(2, 1);
    mean = halves[0];
    learned = halves[1];
  }
  denoised_ = Clipped(
      config_, CleanEstimate(config_.prediction_type, mean, latent_, level()));
  const double alpha_prod = std::pow(level().alpha, 2);
  const double alpha_prod_to = std::pow(plan_.levels[done_ + 1].alpha, 2);
  const double alpha = alpha_prod / alpha_prod_to;
  const double share = (1 - alpha_prod_to) / (1 - alpha_prod);
  const at::Tensor next =
      std::sqrt(alpha_prod_to) * (1 - alpha) / (1 - alpha_prod) * denoised_ +
      std::sqrt(alpha) * share * latent_;
  if (timestep() <= 0) return next;
  constexpr double kLeastVariance = 1e-20;
  const double posterior = std::max(share * (1 - alpha), kLeastVariance);
  return next + Deviation(posterior, 1 - alpha, learned) * Draw();
}

}  // namespace genzo
