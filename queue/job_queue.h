#ifndef GENZO_QUEUE_JOB_QUEUE_H_
#define GENZO_QUEUE_JOB_QUEUE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "genzo/internal/v1/job.pb.h"
#include "queue/event_mailbox.h"
#include "queue/fair_queue.h"

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
// in FairQueue's order. Thread-safe.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Front end: adds `job`; its events go to `events`, from a `queued` on.
  // UNAVAILABLE with RetryInfo and the reason QUEUE_FULL, DEADLINE_UNREACHABLE
  // or DRAINING, and then no event is posted.
  virtual absl::Status Submit(internal::v1::Job job,
                              std::shared_ptr<EventMailbox> events) = 0;

  // Front end: the job is not wanted any more. A waiting job fails with
  // CANCELLED now, a leased one when its worker notices; unknown ids are
  // ignored.
  virtual void Cancel(const std::string& job_id) = 0;

  // Worker: the next job that `rules` allow, or null if there is none now.
  virtual std::unique_ptr<JobLease> TryTake(const TakeRules& rules) = 0;

  // Worker: waits until there is a job that `rules` allow, no job will come any
  // more or Nudge() is called, then as TryTake.
  virtual std::unique_ptr<JobLease> Take(const TakeRules& rules) = 0;

  // Ends every Take() that waits, and the next one of each worker that does
  // not.
  virtual void Nudge() = 0;

  // Whether no job will come any more: closed, and none waits.
  virtual bool Done() const = 0;

  // Refuses new jobs with DRAINING. Waiting jobs are still handed out.
  virtual void Close() = 0;

  // Cancels every job, waiting or leased.
  virtual void CancelAll() = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_QUEUE_H_
