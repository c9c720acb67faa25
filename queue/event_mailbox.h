#ifndef GENZO_QUEUE_EVENT_MAILBOX_H_
#define GENZO_QUEUE_EVENT_MAILBOX_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "genzo/internal/v1/job.pb.h"

namespace genzo {

// Events of one job on their way to one reader. Holds at most one `queued`, and
// one `progress` and one `preview` per image: a newer one takes the older one's
// place at the end of the line, so a slow reader costs neither memory nor the
// picture. Thread-safe; shared by the queue that posts and the stream that
// takes.
class EventMailbox {
 public:
  // Appends `event`. Ignored after a `finished` or `failed`, which are the last
  // of their job. Calls the listener when it returns from the lock.
  void Post(internal::v1::JobEvent event) ABSL_LOCKS_EXCLUDED(mutex_);

  // The oldest event; nullopt if there is none now.
  std::optional<internal::v1::JobEvent> Take() ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `listener` after every Post, and once now if events wait. It must not
  // block and must tolerate calls from several threads. Call once.
  void SetListener(const std::function<void()>& listener)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Previews that were overtaken before they were taken.
  int64_t dropped_previews() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::deque<internal::v1::JobEvent> pending_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t dropped_previews_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void()> listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_QUEUE_EVENT_MAILBOX_H_
