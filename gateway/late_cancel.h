#ifndef GENZO_GATEWAY_LATE_CANCEL_H_
#define GENZO_GATEWAY_LATE_CANCEL_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace genzo {

// Cancels what may not be known yet: how is told when there is something to
// cancel, and done at once if it should have been before. Thread-safe; `cancel`
// is called with no lock held.
class LateCancel {
 public:
  // May be set anew.
  void Set(std::function<void()> cancel) {
    {
      const absl::MutexLock lock(&mutex_);
      cancel_ = cancel;
      if (!is_wanted_) return;
    }
    cancel();
  }

  void Cancel() {
    std::function<void()> cancel;
    {
      const absl::MutexLock lock(&mutex_);
      is_wanted_ = true;
      cancel = cancel_;
    }
    if (cancel) cancel();
  }

 private:
  absl::Mutex mutex_;
  std::function<void()> cancel_ ABSL_GUARDED_BY(mutex_);
  bool is_wanted_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_LATE_CANCEL_H_
