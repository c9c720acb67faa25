#include "queue/split_job_queue.h"

#include <utility>

namespace genzo {

absl::Status SplitJobQueue::Submit(internal::v1::Job job,
                                   std::shared_ptr<EventSink> events) {
  JobQueue& queue = QueueOf(job);
  return queue.Submit(std::move(job), std::move(events));
}

absl::Status SplitJobQueue::Readmit(internal::v1::Job job,
                                    std::shared_ptr<EventSink> events) {
  JobQueue& queue = QueueOf(job);
  return queue.Readmit(std::move(job), std::move(events));
}

void SplitJobQueue::Expire() {
  painting_.Expire();
  upscaling_.Expire();
}

// Ids are unique over both, and unknown ones are ignored.
void SplitJobQueue::Cancel(const std::string& job_id) {
  painting_.Cancel(job_id);
  upscaling_.Cancel(job_id);
}

std::unique_ptr<JobLease> SplitJobQueue::TryTake(const TakeRules& rules) {
  return painting_.TryTake(rules);
}

std::unique_ptr<JobLease> SplitJobQueue::Take(const TakeRules& rules) {
  return painting_.Take(rules);
}

void SplitJobQueue::AwaitNudge() { painting_.AwaitNudge(); }

void SplitJobQueue::Nudge() { painting_.Nudge(); }

bool SplitJobQueue::Done() const { return painting_.Done(); }

void SplitJobQueue::Close() {
  painting_.Close();
  upscaling_.Close();
}

void SplitJobQueue::CancelAll() {
  painting_.CancelAll();
  upscaling_.CancelAll();
}

}  // namespace genzo
