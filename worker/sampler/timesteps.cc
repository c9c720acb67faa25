#include "worker/sampler/timesteps.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace genzo {

std::vector<double> Linspace(double first, double last, int count) {
  std::vector<double> values(count, first);
  const double step = count > 1 ? (last - first) / (count - 1) : 0;
  for (int i = 1; i < count; ++i) values[i] = first + i * step;
  if (count > 1) values.back() = last;
  return values;
}

std::vector<double> TrailingTimesteps(int last, double ratio, int steps) {
  // What numpy's arange(last, 0, -ratio) adds: its first two numbers' distance,
  // rounded as they are.
  const double stride = (last - ratio) - last;
  std::vector<double> timesteps;
  for (int i = 0; i < steps && last + i * stride > 0; ++i) {
    timesteps.push_back(std::nearbyint(last + i * stride) - 1);
  }
  return timesteps;
}

std::vector<double> SpacedTimesteps(const SchedulerConfig& config, int steps) {
  const int train = config.num_train_timesteps;
  std::vector<double> timesteps(config.timesteps.begin(),
                                config.timesteps.end());
  if (!timesteps.empty()) return timesteps;
  switch (config.timestep_spacing) {
    case TimestepSpacing::kLinspace:
      timesteps = Linspace(0, train - 1, steps);
      std::reverse(timesteps.begin(), timesteps.end());
      break;
    case TimestepSpacing::kLeading: {
      const int stride = train / steps;  // whole, as the reference has it
      for (int i = steps - 1; i >= 0; --i) {
        timesteps.push_back(i * stride + config.steps_offset);
      }
      break;
    }
    case TimestepSpacing::kTrailing:
      return TrailingTimesteps(train, static_cast<double>(train) / steps,
                               steps);
  }
  return timesteps;
}

int PreviousTimestep(const SchedulerConfig& config, int timestep, int steps) {
  const std::vector<int>& all = config.timesteps;
  if (all.empty()) return timestep - config.num_train_timesteps / steps;
  const auto next =
      std::upper_bound(all.begin(), all.end(), timestep, std::greater<int>());
  return next == all.end() ? -1 : *next;
}

std::vector<int> DistilledTimesteps(const SchedulerConfig& config, int steps) {
  if (!config.timesteps.empty()) return config.timesteps;
  const int original = config.original_inference_steps;
  const int stride = config.num_train_timesteps / original;
  std::vector<int> timesteps;
  for (int i = 0; i < steps; ++i) {
    const auto left_out =
        static_cast<int>(static_cast<double>(i) * original / steps);
    timesteps.push_back((original - left_out) * stride - 1);
  }
  return timesteps;
}

std::vector<int> WholeTimesteps(const SchedulerConfig& config, int steps) {
  std::vector<int> whole;
  for (double timestep : SpacedTimesteps(config, steps)) {
    // An offset may lead past the last trained timestep, as steps 1 with an
    // offset of 1000 would.
    whole.push_back(std::clamp(static_cast<int>(std::nearbyint(timestep)), 0,
                               config.num_train_timesteps - 1));
  }
  return whole;
}

}  // namespace genzo
