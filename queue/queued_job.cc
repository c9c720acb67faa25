#include "queue/queued_job.h"

#include "base/proto_time.h"

namespace genzo {

void QueuedJob::Cancel(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!cancelled_) cancel_status_ = status;
  cancelled_ = true;
}

absl::Status QueuedJob::cancel_status() const {
  absl::MutexLock lock(&mutex_);
  return cancel_status_;
}

void QueuedJob::Post(v1::JobEvent event) {
  absl::MutexLock lock(&mutex_);
  PostLocked(std::move(event));
}

void QueuedJob::PostPosition(size_t position,
                             std::optional<absl::Duration> time_left) {
  absl::MutexLock lock(&mutex_);
  if (leased_) return;
  v1::JobEvent event;
  event.mutable_queued()->set_position(position);
  if (time_left.has_value()) {
    *event.mutable_queued()->mutable_time_left() = ToProto(*time_left);
  }
  PostLocked(std::move(event));
}

void QueuedJob::End(v1::Ended ended) {
  v1::JobEvent event;
  *event.mutable_ended() = std::move(ended);
  Post(std::move(event));
}

int QueuedJob::Lease() {
  absl::MutexLock lock(&mutex_);
  leased_ = true;
  return ++attempts_;
}

int QueuedJob::Unlease() {
  absl::MutexLock lock(&mutex_);
  leased_ = false;
  return attempts_;
}

void QueuedJob::Keep(std::string checkpoint) {
  absl::MutexLock lock(&mutex_);
  checkpoint_ = std::move(checkpoint);
}

std::string QueuedJob::checkpoint() const {
  absl::MutexLock lock(&mutex_);
  return checkpoint_;
}

void QueuedJob::PostLocked(v1::JobEvent event) {
  event.set_job_id(job_.id());
  event.set_sequence(++sequence_);
  events_->Post(std::move(event));
}

}  // namespace genzo
