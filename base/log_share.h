#ifndef GENZO_BASE_LOG_SHARE_H_
#define GENZO_BASE_LOG_SHARE_H_

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace genzo {

// Bounds the lines that are logged of what anybody can cause as often as he
// likes. With 2 a second, of 5 that come within one and 1 a second later:
//
//   1, 2         logged: 0 were left out before them
//   3, 4, 5      left out
//   6            logged, with the 3 that were left out
//
// Thread-safe.
class LogShare {
 public:
  explicit LogShare(int most_a_second) : most_(most_a_second) {}

  // Takes a line for something that happens at `now`: how many were left out
  // since the last one, or nullopt if this one is to be.
  std::optional<int> Take(absl::Time now) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (now - begin_ >= absl::Seconds(1)) {
      begin_ = now;
      taken_ = 0;
    }
    if (taken_ < most_) {
      ++taken_;
      return std::exchange(left_out_, 0);
    }
    ++left_out_;
    return std::nullopt;
  }

 private:
  const int most_;
  absl::Mutex mutex_;
  absl::Time begin_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;     // since then
  int left_out_ ABSL_GUARDED_BY(mutex_) = 0;  // since the last
};

}  // namespace genzo

#endif  // GENZO_BASE_LOG_SHARE_H_
