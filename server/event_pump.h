#ifndef GENZO_SERVER_EVENT_PUMP_H_
#define GENZO_SERVER_EVENT_PUMP_H_

#include <deque>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace genzo {

// The thread that starts the writes of all streams. A worker that posts an
// event goes on with its next step at once: a write serialises, calls the
// kernel and often runs what it wakes. Thread-safe.
class EventPump {
 public:
  // Calls `tick`, if there is one, every `period` besides.
  explicit EventPump(std::function<void()> tick = nullptr,
                     absl::Duration period = absl::Seconds(1));
  // Runs what was added before.
  ~EventPump();

  // `work` must not block.
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

#endif  // GENZO_SERVER_EVENT_PUMP_H_
