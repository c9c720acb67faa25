#ifndef GENZO_QUEUE_JOB_QUEUE_H_
#define GENZO_QUEUE_JOB_QUEUE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/errors.h"
#include "genzo/internal/v1/job.pb.h"
#include "queue/event_sink.h"
#include "queue/fair_queue.h"
#include "queue/job_end.h"

namespace genzo {

// A worker's hold on one job, until it is ended or dropped.
//
// Dropping it without End or Fail means that the worker could not go on:
// the job waits again, with its last checkpoint, for another worker; from the
// kMostAttempts-th worker on, or once the queue is closed, it fails with
// INTERNAL/JOB_LOST instead, and with CANCELLED if nobody wants it, so no
// reader waits for ever. Nothing that is said after the end, or after another
// worker got the job, reaches the reader. Thread-safe but for the destructor;
// may not outlive the queue.
class JobLease {
 public:
  // Workers that may try one job.
  static constexpr int kMostAttempts = 2;

  virtual ~JobLease() = default;

  // The same as long as the lease lives.
  virtual const internal::v1::Job& job() const = 0;

  // Which worker this is for the job, from 1.
  virtual int attempt() const = 0;
  // What the worker before left with Checkpoint(); empty if nothing.
  virtual const std::string& checkpoint() const = 0;

  // Whether nobody wants the job any more. Ask at every step.
  virtual bool cancelled() const = 0;

  // Says that the worker is alive, which a queue over several processes may
  // want to hear now and then. False once the lease has ended or the job is
  // another's: then stop, as nothing reaches the reader any more.
  virtual bool Renew() = 0;

  // Keeps `state`, in any form that workers understand, instead of what was
  // kept before, for whoever gets the job next. Forgotten with the job. Ignored
  // after the end.
  virtual void Checkpoint(std::string state) = 0;

  // Sends an event to the job's reader, after filling in its job_id and
  // sequence. Sequences go on where the attempt before stopped. Ignored after
  // the end.
  virtual void Post(v1::JobEvent event) = 0;

  // What a job that is cancelled() is to end with: CANCELLED, or
  // UNAVAILABLE/DRAINING if the server cannot wait for it.
  virtual absl::Status CancelStatus() const { return JobCancelledError(); }

  // Ends the job; the first end counts.
  virtual void End(v1::Ended ended) = 0;
  void Fail(const absl::Status& status) { End(EndedBy(status)); }
};

// Carries jobs from front ends to workers and events back. Bounded. Jobs leave
// in FairQueue's order. Thread-safe.
//
// What an implementation over several processes must promise too, and the
// suites on tests/queue/job_queue_fixture.h ask of each:
// - A job that Submit() took has exactly one end at its reader, whatever dies.
// - At most one lease of a job is valid at a time: what an older one says is
//   dropped, not mixed in.
// - Events of a job arrive in the order of their sequences; `queued`,
//   `progress` and `preview` may be left out, others may not.
// - Cancel() of a job that is known takes its demand out of the forecasts at
//   once, whatever its worker does.
// - No method waits for a prediction while it keeps workers from their jobs.
class JobQueue {
 public:
  virtual ~JobQueue() = default;

  // Front end: adds `job`, whose id is new; its events go to `events`, from a
  // `queued` on. Otherwise no event is posted, and the answer is
  // UNAVAILABLE/DRAINING after Close(),
  // UNAVAILABLE/QUEUE_FULL with a RetryInfo,
  // FAILED_PRECONDITION/DEADLINE_UNREACHABLE where the job alone would be late,
  // RESOURCE_EXHAUSTED/DEADLINE_UNREACHABLE with a RetryInfo where it would be
  // late behind others, or
  // ALREADY_EXISTS.
  virtual absl::Status Submit(internal::v1::Job job,
                              std::shared_ptr<EventSink> events) = 0;

  // Front end: adds a job that an earlier server accepted. It has its place,
  // however many wait and whenever it will be done; only new jobs are refused
  // for it. UNAVAILABLE/DRAINING after Close() or ALREADY_EXISTS.
  virtual absl::Status Readmit(internal::v1::Job job,
                               std::shared_ptr<EventSink> events) = 0;

  // Front end: the job is not wanted any more. A waiting job fails with
  // CANCELLED now, a leased one when its worker notices; unknown ids are
  // ignored.
  virtual void Cancel(const std::string& job_id) = 0;

  // Front end, now and then: jobs that wait past their deadline end with
  // DEADLINE_EXCEEDED now, leased ones when their worker notices.
  virtual void Expire() = 0;

  // Worker: the next job that `rules` allow. Null if there is none now, or if
  // it is left to others this time.
  virtual std::unique_ptr<JobLease> TryTake(const TakeRules& rules) = 0;

  // Worker: waits until there is a job that `rules` allow, no job will come any
  // more or Nudge() is called, then as TryTake.
  virtual std::unique_ptr<JobLease> Take(const TakeRules& rules) = 0;

  // Worker: waits for a Nudge() alone, where no job is wanted before something
  // else has happened.
  virtual void AwaitNudge() = 0;

  // Ends every Take() and AwaitNudge() that waits, and the next one of each
  // worker that does not. Cancel() of a leased job does so too.
  virtual void Nudge() = 0;

  // Whether no job will come any more: closed, and none waits.
  virtual bool Done() const = 0;

  // Refuses new jobs with DRAINING. Waiting jobs are still handed out.
  virtual void Close() = 0;

  // Cancels every job, waiting or leased; they end with UNAVAILABLE/DRAINING.
  virtual void CancelAll() = 0;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_QUEUE_H_
