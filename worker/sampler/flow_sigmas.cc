#include "worker/sampler/flow_sigmas.h"

#include <cmath>

#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

// The table of models whose shift grows with the picture is that much finer in
// the code that has one.
constexpr int kFinerTable = 10;

double Shifted(double sigma, double shift) {
  return shift * sigma / (1 + (shift - 1) * sigma);
}

// What Shifted() is in the shape that dynamic shifting is published in.
double DynamicallyShifted(const SchedulerConfig& config, double sigma) {
  const double mu = FlowShiftOf(config);
  return Shifted(sigma, config.linear_time_shift ? mu : std::exp(mu));
}

double ShiftedOnce(const SchedulerConfig& config, double sigma) {
  return config.dynamic_shifting ? DynamicallyShifted(config, sigma)
                                 : Shifted(sigma, config.shift);
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
  for (double& sigma : sigmas) sigma = ShiftedOnce(config, sigma);
  if (!config.shift_terminal.has_value()) return;
  const double scale = (1 - sigmas.back()) / (1 - *config.shift_terminal);
  if (scale <= 0) return;  // a single step from all noise
  for (double& sigma : sigmas) sigma = 1 - (1 - sigma) / scale;
}

std::vector<double> TabledFlowSigmas(const SchedulerConfig& config, int steps) {
  const int count =
      config.num_train_timesteps * (config.dynamic_shifting ? kFinerTable : 1);
  if (config.sigma_spacing == SigmaSpacing::kSgmUniform) {
    // Shifted before it is spaced to, and once more after, as that code has it.
    std::vector<double> sigmas =
        Linspace(1, ShiftedOnce(config, 1.0 / count), steps + 1);
    sigmas.pop_back();
    return sigmas;
  }
  std::vector<double> sigmas;
  for (const size_t place : SimplePlaces(count, steps)) {
    sigmas.push_back(static_cast<double>(place + 1) / count);
  }
  return sigmas;
}

std::vector<double> FlowSigmas(const SchedulerConfig& config, int steps) {
  std::vector<double> sigmas = config.sigmas;
  if (sigmas.empty()) {
    sigmas = IsOfTable(config.sigma_spacing) ? TabledFlowSigmas(config, steps)
                                             : EvenSigmas(config, steps);
  }
  ShiftFlow(config, sigmas);
  if (IsOfEnds(config.sigma_spacing)) {
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
