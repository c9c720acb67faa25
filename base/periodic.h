#ifndef GENZO_BASE_PERIODIC_H_
#define GENZO_BASE_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace genzo {

// Does something now and then, on a thread of its own.
class Periodic {
 public:
  // `work` is done for the first time after one `interval`.
  Periodic(absl::Duration interval, std::function<void()> work);
  // Waits for what is being done.
  ~Periodic();

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration interval_;
  const std::function<void()> work_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_BASE_PERIODIC_H_
