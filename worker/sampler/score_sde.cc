#include "worker/sampler/score_sde.h"

#include <cmath>

#include "ATen/TensorOperators.h"
#include "ATen/ops/linalg_vector_norm.h"

namespace genzo {
namespace {

double MeanNorm(const at::Tensor& rows) {
  return at::linalg_vector_norm(rows.flatten(1), 2, at::IntArrayRef{1})
      .mean()
      .item<double>();
}

}  // namespace

WalkPlan PlanCorrected(const std::vector<Look>& looks, int corrections,
                       const NoiseLevel& end, int first_step) {
  WalkPlan plan;
  const int steps = static_cast<int>(looks.size());
  for (int step = first_step; step < steps; ++step) {
    for (int i = 0; i <= corrections; ++i) {
      plan.timesteps.push_back(looks[step].timestep);
      plan.levels.push_back(looks[step].level);
      plan.steps_done.push_back(step);
    }
  }
  plan.levels.push_back(end);
  plan.steps_done.push_back(steps);
  return plan;
}

at::Tensor Langevin(const at::Tensor& sample, const at::Tensor& score,
                    const at::Tensor& noise, double snr, double alpha) {
  const double ratio = snr * MeanNorm(noise) / MeanNorm(score);
  const double length = 2 * alpha * ratio * ratio;
  return sample + length * score + std::sqrt(2 * length) * noise;
}

}  // namespace genzo
