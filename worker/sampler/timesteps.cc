#include "worker/sampler/timesteps.h"

#include <algorithm>
#include <cmath>

namespace genzo {

std::vector<double> Linspace(double first, double last, int count) {
  std::vector<double> values(count, first);
  const double step = count > 1 ? (last - first) / (count - 1) : 0;
  for (int i = 1; i < count; ++i) values[i] = first + i * step;
  if (count > 1) values.back() = last;
  return values;
}

std::vector<double> SpacedTimesteps(const SchedulerConfig& config, int steps) {
  const int train = config.num_train_timesteps;
  std::vector<double> timesteps;
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
      for (int i = 0; i < steps; ++i) {
        const double ratio = static_cast<double>(train) / steps;
        timesteps.push_back(std::nearbyint(train - i * ratio) - 1);
      }
      break;
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
