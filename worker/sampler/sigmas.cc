#include "worker/sampler/sigmas.h"

#include <algorithm>
#include <cmath>

#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

constexpr double kBetaShape = 0.6;

// The distribution function of Beta(kBetaShape, kBetaShape), by the power
// series of the incomplete beta function (DLMF 8.17.7), which converges fast up
// to the middle; the other half is its mirror image.
double BetaShare(double x) {
  if (x > 0.5) return 1 - BetaShare(1 - x);
  constexpr double kA = kBetaShape;
  double sum = 0;
  double term = 1;
  for (int k = 0; k < 60; ++k) {
    sum += term / (kA + k);
    term *= (k + 1 - kA) / (k + 1) * x;
  }
  return std::pow(x, kA) * sum * std::tgamma(2 * kA) /
         (std::tgamma(kA) * std::tgamma(kA));
}

// Its inverse, by halving.
double BetaQuantile(double share) {
  if (share <= 0 || share >= 1) return share;
  double low = 0;
  double high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (BetaShare(middle) < share ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::vector<float> TrainingSigmas(const std::vector<float>& alphas_cumprod) {
  std::vector<float> sigmas;
  sigmas.reserve(alphas_cumprod.size());
  for (float a : alphas_cumprod) sigmas.push_back(std::sqrt((1 - a) / a));
  return sigmas;
}

double SigmaAt(const std::vector<float>& training_sigmas, double timestep) {
  const double last = static_cast<double>(training_sigmas.size()) - 1;
  const double t = std::clamp(timestep, 0.0, last);
  const auto low = static_cast<size_t>(std::min(t, last - 1));
  const double weight = t - static_cast<double>(low);
  const double from = training_sigmas[low];
  return from + weight * (training_sigmas[low + 1] - from);
}

double TimestepOfSigma(const std::vector<float>& training_sigmas,
                       double sigma) {
  const double log_sigma = std::log(std::max(sigma, 1e-10));
  const auto log_at = [&](size_t i) {
    return static_cast<double>(std::log(training_sigmas[i]));
  };
  size_t low = 0;
  for (size_t i = 1; i + 1 < training_sigmas.size(); ++i) {
    if (log_sigma >= log_at(i)) low = i;
  }
  const double weight = std::clamp(
      (log_at(low) - log_sigma) / (log_at(low) - log_at(low + 1)), 0.0, 1.0);
  return (1 - weight) * static_cast<double>(low) +
         weight * static_cast<double>(low + 1);
}

std::vector<double> KarrasSigmas(double max, double min, int count) {
  constexpr double kRho = 7;
  const double from = std::pow(max, 1 / kRho);
  const double to = std::pow(min, 1 / kRho);
  std::vector<double> sigmas;
  for (double ramp : Linspace(0, 1, count)) {
    sigmas.push_back(std::pow(from + ramp * (to - from), kRho));
  }
  return sigmas;
}

std::vector<double> ExponentialSigmas(double max, double min, int count) {
  std::vector<double> sigmas = Linspace(std::log(max), std::log(min), count);
  for (double& sigma : sigmas) sigma = std::exp(sigma);
  return sigmas;
}

std::vector<double> BetaSigmas(double max, double min, int count) {
  std::vector<double> sigmas;
  for (double ramp : Linspace(0, 1, count)) {
    sigmas.push_back(min + BetaQuantile(1 - ramp) * (max - min));
  }
  return sigmas;
}

std::vector<double> RespacedSigmas(SigmaSpacing spacing, double max, double min,
                                   int count) {
  switch (spacing) {
    case SigmaSpacing::kKarras:
      return KarrasSigmas(max, min, count);
    case SigmaSpacing::kExponential:
      return ExponentialSigmas(max, min, count);
    case SigmaSpacing::kBeta:
      return BetaSigmas(max, min, count);
    case SigmaSpacing::kTimesteps:
      break;
  }
  return Linspace(max, min, count);
}

double InitialSigma(const SchedulerConfig& config, double max) {
  return config.timestep_spacing == TimestepSpacing::kLeading
             ? std::hypot(max, 1)
             : max;
}

NoiseLevel VariancePreserving(double sigma) {
  const double alpha = 1 / std::sqrt(sigma * sigma + 1);
  return {.alpha = alpha, .sigma = sigma * alpha};
}

}  // namespace genzo
