#include "worker/engine/job_state.h"

#include <cmath>

#include "base/errors.h"
#include "base/proto_time.h"

namespace genzo {

JobState::JobState(std::unique_ptr<JobLease> lease,
                   std::shared_ptr<const DiffusionModel> model,
                   const Clock& clock, ModelMetrics& metrics)
    : lease_(std::move(lease)),
      work_(WorkOf(lease_->job())),
      model_(std::move(model)),
      clock_(clock),
      metrics_(metrics),
      accepted_(FromProto(lease_->job().accepted_at())),
      started_(clock.Now()),
      images_left_(lease_->job().request().image_count()),
      denoise_begin_(started_),
      denoise_end_(started_) {
  metrics_.jobs_running.Increment();
}

JobState::~JobState() {
  Fail(ErrorWithReason(absl::StatusCode::kInternal, "JOB_LOST",
                       "the worker gave the job up without a result"));
}

bool JobState::Wanted() {
  if (lease_->cancelled()) {
    Fail(JobCancelledError());
  } else if (clock_.Now() > work_.deadline) {
    Fail(ErrorWithReason(absl::StatusCode::kDeadlineExceeded,
                         "DEADLINE_EXCEEDED",
                         "the job's deadline passed before it was finished"));
  }
  absl::MutexLock lock(&mutex_);
  return !ended_;
}

void JobState::TextEncoded(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  encode_ = duration;
  denoise_begin_ = clock_.Now();
}

void JobState::StepDone(const Step& step) {
  v1::GenerateResponse event;
  v1::Progress& progress = *event.mutable_progress();
  progress.set_image_index(step.image_index);
  progress.set_step(step.step);
  progress.set_steps(step.steps);
  progress.set_batch_rows(step.batch_rows);
  *progress.mutable_time_left() = ToProto(step.time_left);
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  ++steps_run_;
  denoise_end_ = clock_.Now();
  lease_->Post(std::move(event));
}

void JobState::PostPreview(int image_index, int step, v1::Picture picture) {
  v1::GenerateResponse event;
  v1::Preview& preview = *event.mutable_preview();
  preview.set_image_index(image_index);
  preview.set_step(step);
  *preview.mutable_picture() = std::move(picture);
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  if (!previewed_) {
    previewed_ = true;
    metrics_.time_to_first_preview_seconds.Observe(
        absl::ToDoubleSeconds(clock_.Now() - accepted_));
  }
  lease_->Post(std::move(event));
}

void JobState::PostImage(int image_index, uint64_t seed, v1::Picture picture,
                         absl::Duration decode_duration) {
  v1::GenerateResponse event;
  v1::Image& image = *event.mutable_image();
  image.set_image_index(image_index);
  image.set_seed(seed);
  *image.mutable_picture() = std::move(picture);
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  decode_ += decode_duration;
  lease_->Post(std::move(event));
  if (--images_left_ == 0) CompleteLocked();
}

void JobState::CompleteLocked() {
  v1::Finished finished;
  *finished.mutable_queued() = ToProto(started_ - accepted_);
  *finished.mutable_encode() = ToProto(encode_);
  *finished.mutable_denoise() = ToProto(denoise_end_ - denoise_begin_);
  *finished.mutable_decode() = ToProto(decode_);
  finished.set_steps_run(steps_run_);
  const auto observe = [](prometheus::Histogram& histogram,
                          absl::Duration duration) {
    histogram.Observe(absl::ToDoubleSeconds(duration));
  };
  observe(metrics_.queue_seconds, started_ - accepted_);
  observe(metrics_.encode_seconds, encode_);
  observe(metrics_.denoise_seconds, denoise_end_ - denoise_begin_);
  observe(metrics_.decode_seconds, decode_);
  observe(metrics_.total_seconds, clock_.Now() - accepted_);
  if (lease_->job().has_predicted_finish()) {
    const absl::Duration predicted =
        FromProto(lease_->job().predicted_finish()) - accepted_;
    metrics_.prediction_error.Observe(
        std::abs(absl::FDivDuration(predicted, clock_.Now() - accepted_) - 1));
  }
  metrics_.jobs_succeeded.Increment();
  EndLocked();
  lease_->Complete(std::move(finished));
}

void JobState::Fail(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  (absl::IsCancelled(status) ? metrics_.jobs_cancelled : metrics_.jobs_failed)
      .Increment();
  EndLocked();
  lease_->Fail(status);
}

void JobState::EndLocked() {
  ended_ = true;
  metrics_.jobs_running.Decrement();
}

}  // namespace genzo
