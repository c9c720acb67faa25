#include "worker/sampler/sigmas.h"

#include <algorithm>
#include <cmath>

#include "absl/types/span.h"
#include "worker/sampler/noise_schedule.h"
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

// Optimised for ten steps of Stable Diffusion 1 and of SDXL (arXiv:2404.14507,
// values as its authors publish them).
constexpr double kAlignedSd1[] = {14.615, 6.475, 3.861, 2.697, 1.886, 1.396,
                                  0.963,  0.652, 0.399, 0.152, 0.029};
constexpr double kAlignedSdxl[] = {14.615, 6.315, 3.771, 2.181, 1.342, 0.862,
                                   0.555,  0.380, 0.234, 0.113, 0.029};

// A table's sigmas, for other numbers of steps than its ten linear in the
// logarithm. The last of them stands for the picture.
std::vector<double> AlignedSigmas(absl::Span<const double> table, int steps) {
  std::vector<double> sigmas;
  for (double at :
       Linspace(0, static_cast<double>(table.size() - 1), steps + 1)) {
    const auto low = std::min(static_cast<size_t>(at), table.size() - 2);
    sigmas.push_back(
        std::exp(std::lerp(std::log(table[low]), std::log(table[low + 1]),
                           at - static_cast<double>(low))));
  }
  sigmas.pop_back();
  return sigmas;
}

// Evenly spaced timesteps from the noisiest on, of which one more is left out
// at the clean end; between two timesteps linear in the logarithm.
std::vector<double> SgmUniformSigmas(const std::vector<float>& training,
                                     int steps) {
  const auto last = static_cast<double>(training.size() - 1);
  std::vector<double> sigmas;
  for (double t : Linspace(last, 0, steps + 1)) {
    const auto low = std::min(static_cast<size_t>(t), training.size() - 2);
    sigmas.push_back(
        std::exp(std::lerp(std::log(static_cast<double>(training[low])),
                           std::log(static_cast<double>(training[low + 1])),
                           t - static_cast<double>(low))));
  }
  sigmas.pop_back();
  return sigmas;
}

// Every n-th place of a table, counted from the second cleanest, the noisiest
// first.
std::vector<size_t> DdimUniformPlaces(size_t size, int steps) {
  const size_t stride = std::max<size_t>(size / steps, 1);
  std::vector<size_t> places;
  for (int i = steps - 1; i >= 0; --i) {
    places.push_back(std::min(1 + i * stride, size - 1));
  }
  return places;
}

std::vector<double> At(const std::vector<float>& training,
                       const std::vector<size_t>& places) {
  std::vector<double> sigmas;
  sigmas.reserve(places.size());
  for (size_t place : places) sigmas.push_back(training[place]);
  return sigmas;
}

}  // namespace

std::vector<float> TrainingSigmasOf(const SchedulerConfig& config) {
  return TrainingSigmas(MakeAlphasCumprodAboveZero(config));
}

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

double NoiseTold(double sigma) { return 0.25 * std::log(sigma); }

double TimestepOfSigma(const SchedulerConfig& config,
                       const std::vector<float>& training_sigmas,
                       double sigma) {
  return config.sigma_data.has_value()
             ? NoiseTold(sigma)
             : TimestepOfSigma(training_sigmas, sigma);
}

std::vector<double> KarrasSigmas(double max, double min, int count,
                                 double rho) {
  const double from = std::pow(max, 1 / rho);
  const double to = std::pow(min, 1 / rho);
  std::vector<double> sigmas;
  for (double ramp : Linspace(0, 1, count)) {
    sigmas.push_back(std::pow(from + ramp * (to - from), rho));
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

std::vector<size_t> SimplePlaces(size_t size, int steps) {
  const double stride = static_cast<double>(size) / steps;
  std::vector<size_t> places;
  for (int i = 0; i < steps; ++i) {
    places.push_back(size - 1 - static_cast<size_t>(i * stride));
  }
  return places;
}

bool IsOfEnds(SigmaSpacing spacing) {
  return spacing == SigmaSpacing::kKarras ||
         spacing == SigmaSpacing::kExponential ||
         spacing == SigmaSpacing::kLuLambdas || spacing == SigmaSpacing::kBeta;
}

bool IsOfTable(SigmaSpacing spacing) {
  return spacing != SigmaSpacing::kTimesteps && !IsOfEnds(spacing);
}

std::vector<double> RespacedSigmas(SigmaSpacing spacing, double max, double min,
                                   int count, double rho) {
  if (spacing == SigmaSpacing::kExponential ||
      spacing == SigmaSpacing::kLuLambdas) {
    return ExponentialSigmas(max, min, count);
  }
  if (spacing == SigmaSpacing::kBeta) return BetaSigmas(max, min, count);
  return KarrasSigmas(max, min, count, rho);
}

std::vector<double> RespacedSigmas(const SchedulerConfig& config,
                                   const std::vector<float>& training_sigmas,
                                   int steps) {
  switch (config.sigma_spacing) {
    case SigmaSpacing::kSgmUniform:
      return SgmUniformSigmas(training_sigmas, steps);
    case SigmaSpacing::kSimple:
      return At(training_sigmas, SimplePlaces(training_sigmas.size(), steps));
    case SigmaSpacing::kDdimUniform:
      return At(training_sigmas,
                DdimUniformPlaces(training_sigmas.size(), steps));
    case SigmaSpacing::kAlignYourSteps:
      return AlignedSigmas(config.sdxl ? kAlignedSdxl : kAlignedSd1, steps);
    default:
      return RespacedSigmas(config.sigma_spacing,
                            config.sigma_max.value_or(training_sigmas.back()),
                            config.sigma_min.value_or(training_sigmas.front()),
                            steps);
  }
}

AncestralStep::AncestralStep(double from, double to) {
  // In float32, as the references do: where the way down is steep, what is left
  // of `down` is mostly rounding.
  const auto f = static_cast<float>(from);
  const auto t = static_cast<float>(to);
  const float rise = std::min(t, std::sqrt(t * t * (f * f - t * t) / (f * f)));
  up = rise;
  down = std::sqrt(t * t - rise * rise);
  // Nothing is left of the way down from EDM's 80 to its 0.002; what is in
  // between would then be no noise at all, of which the network has no time.
  if (down == 0) down = to * to / from;
}

double InitialSigma(const SchedulerConfig& config, double max) {
  // EDM's is that of the configuration, wherever the walk begins.
  if (config.sigma_data.has_value()) {
    return std::hypot(config.sigma_max.value_or(max), 1);
  }
  return config.timestep_spacing == TimestepSpacing::kLeading
             ? std::hypot(max, 1)
             : max;
}

NoiseLevel VariancePreserving(double sigma) {
  const double alpha = 1 / std::sqrt(sigma * sigma + 1);
  return {.alpha = alpha, .sigma = sigma * alpha};
}

}  // namespace genzo
