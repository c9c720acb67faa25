#include "queue/step_costs.h"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace genzo {
namespace {

constexpr double kMinGain = 0.05;
constexpr int kMinCap = 2;

}  // namespace

absl::Duration StepCosts::At(int rows, double relative_area) const {
  if (measured_.empty()) return absl::ZeroDuration();
  const double load = rows * relative_area;
  if (measured_.size() == 1) {
    return measured_.begin()->second * (load / measured_.begin()->first);
  }
  auto upper =
      std::find_if(measured_.begin(), measured_.end(),
                   [&](const auto& point) { return point.first >= load; });
  if (upper == measured_.begin()) {
    // A part of the smallest evaluation: at least in proportion.
    return upper->second * std::max(load / upper->first, 0.25);
  }
  const bool beyond = upper == measured_.end();
  if (beyond) --upper;
  const auto lower = std::prev(upper);
  const double share = (load - lower->first) / (upper->first - lower->first);
  const absl::Duration time =
      lower->second + share * (upper->second - lower->second);
  // Where measuring was disturbed, the line may point down, below zero at last.
  return beyond ? std::max(time, upper->second) : time;
}

int StepCosts::RowCap(int largest, double relative_area) const {
  if (measured_.empty()) return largest;
  const auto rate = [](const auto& point) {
    return point.first / absl::ToDoubleSeconds(point.second);
  };
  auto best = measured_.begin();
  double needed = rate(*best);
  for (auto next = std::next(best); next != measured_.end(); ++next) {
    needed *= 1 + kMinGain;
    if (rate(*next) < needed) continue;
    best = next;
    needed = rate(*best);
  }
  const int rows = static_cast<int>(std::floor(best->first / relative_area));
  return std::clamp(rows, kMinCap, std::max(kMinCap, largest));
}

}  // namespace genzo
