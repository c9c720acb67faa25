#ifndef GENZO_TOOLS_BENCH_PROGRESS_LINE_H_
#define GENZO_TOOLS_BENCH_PROGRESS_LINE_H_

#include <ostream>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"

namespace genzo {

// Tells how far the bench is: a line that refines in place on a terminal, else
// a line a load. Thread-safe.
class ProgressLine {
 public:
  // `out` and `clock` outlive this object.
  ProgressLine(std::ostream& out, bool terminal, const Clock& clock)
      : out_(out), terminal_(terminal), clock_(clock) {}

  // A load begins.
  void Begin(const std::string& label) ABSL_LOCKS_EXCLUDED(mutex_);
  void Update(int ended, int in_flight) ABSL_LOCKS_EXCLUDED(mutex_);
  // It is over.
  void End(int ended) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  double Elapsed() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::ostream& out_;
  const bool terminal_;
  const Clock& clock_;
  absl::Mutex mutex_;
  std::string label_ ABSL_GUARDED_BY(mutex_);
  absl::Time begin_ ABSL_GUARDED_BY(mutex_);
  absl::Time shown_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_PROGRESS_LINE_H_
