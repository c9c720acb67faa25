#include "worker/sampler/prediction.h"

#include <cmath>

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/quantile.h"

namespace genzo {

at::Tensor Noised(const at::Tensor& clean, const at::Tensor& noise,
                  const NoiseLevel& level) {
  return level.alpha * clean + level.sigma * noise;
}

at::Tensor CleanEstimate(PredictionType type, const at::Tensor& prediction,
                         const at::Tensor& sample, const NoiseLevel& level) {
  switch (type) {
    case PredictionType::kEpsilon:
      return (sample - level.sigma * prediction) / level.alpha;
    case PredictionType::kVelocity: {
      const double scale = std::hypot(level.alpha, level.sigma);
      return sample * (level.alpha / (scale * scale)) -
             prediction * (level.sigma / scale);
    }
    case PredictionType::kSample:
      return prediction;
    case PredictionType::kFlow:
      return sample - level.sigma * prediction;
  }
  return prediction;
}

at::Tensor NoiseEstimate(PredictionType type, const at::Tensor& prediction,
                         const at::Tensor& sample, const NoiseLevel& level) {
  switch (type) {
    case PredictionType::kEpsilon:
      return prediction;
    case PredictionType::kVelocity: {
      const double scale = std::hypot(level.alpha, level.sigma);
      return prediction * (level.alpha / scale) +
             sample * (level.sigma / (scale * scale));
    }
    case PredictionType::kSample:
      return (sample - level.alpha * prediction) / level.sigma;
    case PredictionType::kFlow:
      return sample + level.alpha * prediction;
  }
  return prediction;
}

at::Tensor CleanEstimate(const SchedulerConfig& config,
                         const at::Tensor& prediction, const at::Tensor& sample,
                         const NoiseLevel& level) {
  if (!config.sigma_data.has_value()) {
    return CleanEstimate(config.prediction_type, prediction, sample, level);
  }
  const double data = *config.sigma_data;
  const double length = std::hypot(level.sigma, data);
  const double share = data / length;
  const double weight = level.sigma * share;
  const bool negative = config.prediction_type == PredictionType::kVelocity;
  return share * share * sample + (negative ? -weight : weight) * prediction;
}

at::Tensor ScaledForNetwork(const SchedulerConfig& config,
                            const at::Tensor& sample, const NoiseLevel& level) {
  return sample / std::hypot(level.sigma, config.sigma_data.value_or(1));
}

at::Tensor Clipped(const SchedulerConfig& config, const at::Tensor& clean) {
  if (config.thresholding) {
    return DynamicThreshold(clean, config.dynamic_thresholding_ratio,
                            config.sample_max_value);
  }
  if (!config.clip_sample) return clean;
  return at::clamp(clean, -config.clip_sample_range, config.clip_sample_range);
}

at::Tensor DynamicThreshold(const at::Tensor& clean, double ratio,
                            double max_value) {
  const double bound =
      at::quantile(at::abs(clean).flatten(), ratio).item<double>();
  const double s = std::min(std::max(bound, 1.0), max_value);
  return at::clamp(clean, -s, s) / s;
}

}  // namespace genzo
