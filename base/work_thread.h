#ifndef GENZO_BASE_WORK_THREAD_H_
#define GENZO_BASE_WORK_THREAD_H_

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace genzo {

// A thread and the line of what it is to do, for whoever must not wait for it:
// files are written, streams are served, keys are looked at. What is in line is
// without bound: who adds without being asked to counts it himself.
// Thread-safe.
class WorkThread {
 public:
  // Calls `tick`, if there is one, every `period` besides, for the first time
  // after one. Work that takes longer delays it; what was missed is not made
  // up for.
  explicit WorkThread(std::function<void()> tick = nullptr,
                      absl::Duration period = absl::Seconds(1));
  // Runs what was added before, and waits for it.
  ~WorkThread();

  // Runs `work` after all that was added before, and drops it at once.
  void Add(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<void()> tick_;
  const absl::Duration period_;
  absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<std::function<void()>> work_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_BASE_WORK_THREAD_H_
