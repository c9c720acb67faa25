#ifndef GENZO_SERVER_RELOAD_THREAD_H_
#define GENZO_SERVER_RELOAD_THREAD_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/config.h"
#include "base/work_thread.h"

namespace genzo {

// Has the configuration read again and taken over, on a thread of its own: a
// file of it, or of keys, may lie on a mount that does not answer, and who
// waits for signals must not wait for that.
class ReloadThread {
 public:
  // Both are called on that thread. What cannot be read is said in the log.
  ReloadThread(std::function<absl::StatusOr<Config>()> read,
               std::function<void(const Config&)> take);
  // Closes. Waits for one that is under way, which may hang.
  ~ReloadThread() { Close(); }

  // Once more, from the beginning: wishes that come before it begins are one.
  // Waits for nothing; any thread.
  void Ask() ABSL_LOCKS_EXCLUDED(mutex_);

  // Nothing is taken over any more, but for what just is. Waits for nothing;
  // any thread.
  void Close() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Reload() ABSL_LOCKS_EXCLUDED(mutex_);
  bool closed() const ABSL_LOCKS_EXCLUDED(mutex_);

  const std::function<absl::StatusOr<Config>()> read_;
  const std::function<void(const Config&)> take_;
  mutable absl::Mutex mutex_;
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;  // and not begun
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  WorkThread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_SERVER_RELOAD_THREAD_H_
