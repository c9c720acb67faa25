#include "base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace genzo {

const Clock& Clock::Real() {
  static const MachineClock* const clock = new MachineClock(absl::Now, [] {
    return absl::FromChrono(
        std::chrono::steady_clock::now().time_since_epoch());
  });
  return *clock;
}

}  // namespace genzo
