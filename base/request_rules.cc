#include "base/request_rules.h"

#include <algorithm>

namespace genzo {

int64_t StepsWalked(int64_t steps, double strength) {
  const auto walked =
      static_cast<int64_t>(static_cast<double>(steps) * strength);
  return std::clamp<int64_t>(walked, 0, steps);
}

}  // namespace genzo
