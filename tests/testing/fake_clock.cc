#include "tests/testing/fake_clock.h"

namespace genzo {

absl::Time FakeClock::Now() const {
  absl::MutexLock lock(&mutex_);
  return now_;
}

void FakeClock::Advance(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  now_ += duration;
}

absl::Time FakeClock::Date() const {
  absl::MutexLock lock(&mutex_);
  return now_ + ahead_;
}

void FakeClock::SetDateForward(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  ahead_ += duration;
}

}  // namespace genzo
