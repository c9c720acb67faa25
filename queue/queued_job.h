#ifndef GENZO_QUEUE_QUEUED_JOB_H_
#define GENZO_QUEUE_QUEUED_JOB_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "genzo/internal/v1/job.pb.h"
#include "queue/event_sink.h"
#include "queue/job_demand.h"

namespace genzo {

// A job of a MemoryJobQueue and the way back to its reader: numbers its events,
// and knows whether a worker has it and whether it is still wanted.
// Thread-safe.
class QueuedJob {
 public:
  QueuedJob(internal::v1::Job job, std::shared_ptr<EventSink> events,
            JobDemand demand, absl::Time latest_start)
      : job_(std::move(job)),
        events_(std::move(events)),
        demand_(std::move(demand)),
        latest_start_(latest_start) {}

  const internal::v1::Job& job() const { return job_; }
  const JobDemand& demand() const { return demand_; }
  absl::Time latest_start() const { return latest_start_; }
  int64_t steps() const { return int64_t{demand_.steps} * demand_.images; }

  // Nobody wants it any more. The first status counts.
  void Cancel(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  bool cancelled() const { return cancelled_; }
  absl::Status cancel_status() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Gives the event the next number.
  void Post(v1::JobEvent event) ABSL_LOCKS_EXCLUDED(mutex_);
  // Does nothing while a worker has the job: its place is history then.
  void PostPosition(size_t position, std::optional<absl::Duration> time_left)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void End(v1::Ended ended) ABSL_LOCKS_EXCLUDED(mutex_);

  // A worker has it from now on. The number of the attempt that begins.
  int Lease() ABSL_LOCKS_EXCLUDED(mutex_);
  // None has it any more. The number of attempts so far.
  int Unlease() ABSL_LOCKS_EXCLUDED(mutex_);

  // Where its worker has got to, for the next one.
  void Keep(std::string checkpoint) ABSL_LOCKS_EXCLUDED(mutex_);
  std::string checkpoint() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // Posting under the lock keeps sequences in order in the sink.
  void PostLocked(v1::JobEvent event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const internal::v1::Job job_;
  const std::shared_ptr<EventSink> events_;
  const JobDemand demand_;
  const absl::Time latest_start_;
  std::atomic<bool> cancelled_{false};
  mutable absl::Mutex mutex_;
  absl::Status cancel_status_ ABSL_GUARDED_BY(mutex_);
  bool leased_ ABSL_GUARDED_BY(mutex_) = false;
  int attempts_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string checkpoint_ ABSL_GUARDED_BY(mutex_);
  uint64_t sequence_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_QUEUED_JOB_H_
