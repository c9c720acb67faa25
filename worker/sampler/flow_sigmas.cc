#include "worker/sampler/flow_sigmas.h"

#include <cmath>

#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

double Shifted(double sigma, double shift) {
  return shift * sigma / (1 + (shift - 1) * sigma);
}

// What Shifted() is in the shape that dynamic shifting is published in.
double DynamicallyShifted(const SchedulerConfig& config, double sigma) {
  const double mu = FlowShiftOf(config);
  return Shifted(sigma, config.linear_time_shift ? mu : std::exp(mu));
}

// Evenly spaced from 1 to the cleanest trained one, which the reference has
// shifted once already when it is spaced to.
std::vector<double> EvenSigmas(const SchedulerConfig& config, int steps) {
  const double cleanest = 1.0 / config.num_train_timesteps;
  return Linspace(1,
                  static_cast<float>(config.dynamic_shifting
                                         ? cleanest
                                         : Shifted(cleanest, config.shift)),
                  steps);
}

}  // namespace

void ShiftFlow(const SchedulerConfig& config, std::vector<double>& sigmas) {
  for (double& sigma : sigmas) {
    sigma = config.dynamic_shifting ? DynamicallyShifted(config, sigma)
                                    : Shifted(sigma, config.shift);
  }
  if (!config.shift_terminal.has_value()) return;
  const double scale = (1 - sigmas.back()) / (1 - *config.shift_terminal);
  if (scale <= 0) return;  // a single step from all noise
  for (double& sigma : sigmas) sigma = 1 - (1 - sigma) / scale;
}

std::vector<double> FlowSigmas(const SchedulerConfig& config, int steps) {
  std::vector<double> sigmas =
      config.sigmas.empty() ? EvenSigmas(config, steps) : config.sigmas;
  ShiftFlow(config, sigmas);
  if (config.sigma_spacing != SigmaSpacing::kTimesteps) {
    sigmas = RespacedSigmas(config.sigma_spacing, sigmas.front(), sigmas.back(),
                            steps);
  }
  for (double& sigma : sigmas) sigma = static_cast<float>(sigma);
  return sigmas;
}

double FlowShiftOf(const SchedulerConfig& config) {
  const double slope = (config.max_shift - config.base_shift) /
                       (config.max_image_seq_len - config.base_image_seq_len);
  return config.base_shift +
         slope * static_cast<double>(config.image_tokens -
                                     config.base_image_seq_len);
}

NoiseLevel FlowLevel(double sigma) {
  return {.alpha = 1 - sigma, .sigma = sigma};
}

double FlowTimestep(const SchedulerConfig& config, double sigma) {
  return static_cast<float>(sigma) *
         static_cast<float>(config.num_train_timesteps);
}

}  // namespace genzo
