#ifndef GENZO_TESTS_TESTING_FAKE_CLOCK_H_
#define GENZO_TESTS_TESTING_FAKE_CLOCK_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"

namespace genzo {

// A clock that stands until it is told to move. Thread-safe.
class FakeClock : public Clock {
 public:
  absl::Time Now() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Advance(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

  // Somebody sets the machine's date.
  absl::Time Date() const override ABSL_LOCKS_EXCLUDED(mutex_);
  void SetDateForward(absl::Duration duration) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'000'000);
  absl::Duration ahead_ ABSL_GUARDED_BY(mutex_);  // the date, of that
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_FAKE_CLOCK_H_
