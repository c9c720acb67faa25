#include "base/clock.h"

#include <chrono>

#include "absl/time/clock.h"

namespace genzo {
namespace {

// Wall time at start plus a steady clock's progress, so that an adjustment of
// the machine's date cannot make a duration negative.
class RealClock : public Clock {
 public:
  absl::Time Now() const override {
    return start_ +
           absl::FromChrono(std::chrono::steady_clock::now() - steady_start_);
  }
  absl::Time Date() const override { return absl::Now(); }

 private:
  const absl::Time start_ = absl::Now();
  const std::chrono::steady_clock::time_point steady_start_ =
      std::chrono::steady_clock::now();
};

}  // namespace

const Clock& Clock::Real() {
  static const RealClock* const clock = new RealClock();
  return *clock;
}

}  // namespace genzo
