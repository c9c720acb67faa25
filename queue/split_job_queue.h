#ifndef GENZO_QUEUE_SPLIT_JOB_QUEUE_H_
#define GENZO_QUEUE_SPLIT_JOB_QUEUE_H_

#include <memory>
#include <string>

#include "queue/job_queue.h"

namespace genzo {

// Two queues as one: pictures that are to be enlarged wait in a line of their
// own, for other workers, so that neither kind of job stands in front of the
// other. Whoever takes from this takes what is to be painted. Thread-safe.
class SplitJobQueue : public JobQueue {
 public:
  // Both outlive it.
  SplitJobQueue(JobQueue& painting, JobQueue& upscaling)
      : painting_(painting), upscaling_(upscaling) {}

  absl::Status Submit(internal::v1::Job job,
                      std::shared_ptr<EventSink> events) override;
  absl::Status Readmit(internal::v1::Job job,
                       std::shared_ptr<EventSink> events) override;
  void Cancel(const std::string& job_id) override;
  void Expire() override;
  std::unique_ptr<JobLease> TryTake(const TakeRules& rules) override;
  std::unique_ptr<JobLease> Take(const TakeRules& rules) override;
  void AwaitNudge() override;
  void Nudge() override;
  bool Done() const override;
  void Close() override;
  void CancelAll() override;

 private:
  JobQueue& QueueOf(const internal::v1::Job& job) {
    return job.has_upscale() ? upscaling_ : painting_;
  }

  JobQueue& painting_;
  JobQueue& upscaling_;
};

}  // namespace genzo

#endif  // GENZO_QUEUE_SPLIT_JOB_QUEUE_H_
