#ifndef GENZO_TESTS_TESTING_EVENT_RECORD_H_
#define GENZO_TESTS_TESTING_EVENT_RECORD_H_

#include <deque>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "queue/event_sink.h"

namespace genzo {

// All events of a job up to its end, for a test to look at. Thread-safe.
class EventRecord : public EventSink {
 public:
  void Post(v1::JobEvent event) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    ended_ = event.has_ended();
    events_.push_back(std::move(event));
  }

  // The oldest event that was not taken; nullopt if there is none.
  std::optional<v1::JobEvent> Take() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (events_.empty()) return std::nullopt;
    v1::JobEvent event = std::move(events_.front());
    events_.pop_front();
    return event;
  }

 private:
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<v1::JobEvent> events_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_EVENT_RECORD_H_
