#ifndef GENZO_WORKER_RESIDENCY_SLICED_WORK_H_
#define GENZO_WORKER_RESIDENCY_SLICED_WORK_H_

#include <exception>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace genzo {

// Work that takes long, done slice by slice on a thread of its own, but never
// beside the thread that calls Run(): one of the two waits for the other, so
// that what belongs to that thread, a device and its models, may be used. One
// work after the other has the same thread, as its memory and caches make the
// next one faster.
//
//   Begin(work)
//   Run(10 ms)   the work goes on to its first pause point after 10 ms
//                (worker/threads/pause_point.h)
//   ...          others' steps
//   Run(10 ms)   it goes on from there; true once it has ended
//
// For one thread.
class SlicedWork {
 public:
  // `clock` outlives this.
  explicit SlicedWork(const Clock& clock);
  // Breaks the work off at the pause point where it waits.
  ~SlicedWork();

  // What Run() goes on with. The work before must have ended.
  void Begin(std::function<void()> work) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether all that was begun has ended.
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether the work has ended; throws what it threw.
  bool Run(absl::Duration slice) ABSL_LOCKS_EXCLUDED(mutex_);

  // Time that all work has had by now. Also for the work.
  absl::Duration spent() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class Turn { kCaller, kWork, kEnded };
  struct BrokenOff {};

  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);
  void AwaitTurn() ABSL_LOCKS_EXCLUDED(mutex_);
  void Pause() ABSL_LOCKS_EXCLUDED(mutex_);
  // Ends the work's slice.
  void PassTo(Turn turn) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  Turn turn_ ABSL_GUARDED_BY(mutex_) = Turn::kEnded;
  std::function<void()> work_ ABSL_GUARDED_BY(mutex_);
  bool broken_off_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time begun_ ABSL_GUARDED_BY(mutex_);  // the slice
  absl::Time until_ ABSL_GUARDED_BY(mutex_);
  absl::Duration spent_ ABSL_GUARDED_BY(mutex_);  // in the slices before
  std::exception_ptr thrown_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;  // last: uses the rest
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_SLICED_WORK_H_
