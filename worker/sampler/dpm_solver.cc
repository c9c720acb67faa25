#include "worker/sampler/dpm_solver.h"

#include <algorithm>
#include <cmath>

#include "ATen/TensorOperators.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

DpmMove DataMove(const NoiseLevel& from, const NoiseLevel& to, double h) {
  const double decay = std::expm1(-h);
  return {.sample = to.sigma / from.sigma,
          .value = -to.alpha * decay,
          .midpoint = -0.5 * to.alpha * decay,
          .slope = to.alpha * (decay / h + 1),
          .curve = -to.alpha * ((decay + h) / (h * h) - 0.5),
          .noise = 0};
}

DpmMove NoiseMove(const NoiseLevel& from, const NoiseLevel& to, double h) {
  const double growth = std::expm1(h);
  return {.sample = to.alpha / from.alpha,
          .value = -to.sigma * growth,
          .midpoint = -0.5 * to.sigma * growth,
          .slope = -to.sigma * (growth / h - 1),
          .curve = -to.sigma * ((growth - h) / (h * h) - 0.5),
          .noise = 0};
}

DpmMove StochasticDataMove(const NoiseLevel& from, const NoiseLevel& to,
                           double h) {
  const double lost = -std::expm1(-2 * h);
  return {.sample = to.sigma / from.sigma * std::exp(-h),
          .value = to.alpha * lost,
          .midpoint = 0.5 * to.alpha * lost,
          .slope = to.alpha * (lost / (-2 * h) + 1),
          .curve = to.alpha * ((lost - 2 * h) / (4 * h * h) - 0.5),
          .noise = to.sigma * std::sqrt(std::max(0.0, lost))};
}

// There is no third order of it.
DpmMove StochasticNoiseMove(const NoiseLevel& from, const NoiseLevel& to,
                            double h) {
  const double growth = std::expm1(h);
  return {.sample = to.alpha / from.alpha,
          .value = -2 * to.sigma * growth,
          .midpoint = -to.sigma * growth,
          .slope = -2 * to.sigma * (growth / h - 1),
          .curve = 0,
          .noise = to.sigma * std::sqrt(std::max(0.0, std::expm1(2 * h)))};
}

}  // namespace

double LambdaOf(const NoiseLevel& level) {
  return std::log(level.alpha) - std::log(level.sigma);
}

DpmMove DpmMoveOf(const SchedulerConfig& config, const NoiseLevel& from,
                  const NoiseLevel& to) {
  const double h = LambdaOf(to) - LambdaOf(from);
  // Nowhere: where a walk ends at its last level.
  if (h == 0) return {.sample = 1};
  if (config.plus_plus) {
    return config.stochastic_sampling ? StochasticDataMove(from, to, h)
                                      : DataMove(from, to, h);
  }
  return config.stochastic_sampling ? StochasticNoiseMove(from, to, h)
                                    : NoiseMove(from, to, h);
}

at::Tensor DpmValue(const SchedulerConfig& config, const at::Tensor& prediction,
                    const at::Tensor& sample, const NoiseLevel& level,
                    at::Tensor& clean) {
  clean = CleanEstimate(config, prediction, sample, level);
  if (config.thresholding) {
    clean = DynamicThreshold(clean, config.dynamic_thresholding_ratio,
                             config.sample_max_value);
  }
  if (config.plus_plus) return clean;
  return config.thresholding
             ? (sample - level.alpha * clean) / level.sigma
             : NoiseEstimate(config.prediction_type, prediction, sample, level);
}

}  // namespace genzo
