#ifndef GENZO_BASE_WORK_THREAD_H_
#define GENZO_BASE_WORK_THREAD_H_

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

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
  void Add(std::function<void()> work);

 private:
  void Loop();
  // Until there is something to do, or for as long. By the machine's time:
  // Abseil's waits go by the date, and last a day if it is set back by one.
  void Wait(absl::Duration timeout, std::unique_lock<std::mutex>& lock);

  const std::function<void()> tick_;
  const absl::Duration period_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closed_ = false;                     // by mutex_
  std::deque<std::function<void()>> work_;  // by mutex_
  std::thread thread_;                      // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_BASE_WORK_THREAD_H_
