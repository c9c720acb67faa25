#ifndef GENZO_QUEUE_JOB_QUEUE_H_
#define GENZO_QUEUE_JOB_QUEUE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "genzo/internal/v1/job.pb.h"
#include "queue/event_mailbox.h"

namespace genzo {

// A worker's hold on one job. Dropping it without Complete or Fail fails the
// job with INTERNAL/JOB_LOST, so no reader waits for ever. Thread-safe.
class JobLease {
 public:
  virtual ~JobLease() = default;

  virtual const internal::v1::Job& job() const = 0;

  // Whether nobody wants the job any more. Ask at every step.
  virtual bool cancelled() const = 0;

  // Sends an event to the job's reader, after filling in its job_id and
  // sequence.
  virtual void Post(v1::GenerateResponse event) = 0;

  // Ends the job; later events are ignored.
  virtual void Complete(v1::Finished finished) = 0;
  virtual void Fail(const absl::Status& status) = 0;
};

// Carries jobs from front ends to workers and events back. Bounded. Jobs leave
// in the order in which they came. Thread-safe.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Front end: appends `job`; its events go to `events`, from a `queued` on.
  // UNAVAILABLE/QUEUE_FULL or UNAVAILABLE/DRAINING, with RetryInfo, and then no
  // event is posted.
  virtual absl::Status Submit(internal::v1::Job job,
                              std::shared_ptr<EventMailbox> events) = 0;

  // Front end: the job is not wanted any more. A waiting job fails with
  // CANCELLED now, a leased one when its worker notices; unknown ids are
  // ignored.
  virtual void Cancel(const std::string& job_id) = 0;

  // Worker: the oldest waiting job, or null if there is none now.
  virtual std::unique_ptr<JobLease> TryTake() = 0;

  // Worker: waits for a job. Null once the queue is closed and empty.
  virtual std::unique_ptr<JobLease> Take() = 0;

  // Refuses new jobs with DRAINING. Waiting jobs are still handed out.
  virtual void Close() = 0;

  // Cancels every job, waiting or leased.
  virtual void CancelAll() = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_QUEUE_H_
