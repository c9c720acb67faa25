#include "worker/engine/job_state.h"

#include <algorithm>
#include <cmath>

#include "base/errors.h"
#include "base/guidance_rules.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "base/request_pictures.h"
#include "base/request_rules.h"
#include "queue/job_end.h"
#include "worker/engine/best_images.h"

namespace genzo {

absl::Status WhyEnded(const JobLease& lease, absl::Time deadline,
                      absl::Time now) {
  if (lease.cancelled()) return lease.CancelStatus();
  if (now <= deadline) return absl::OkStatus();
  return JobLateError();
}

void FailLease(JobLease& lease, const JobDemand& demand,
               const absl::Status& status, ModelMetrics& metrics) {
  metrics.CountEnd(status, int64_t{demand.steps} * demand.images);
  lease.Fail(status);
}

JobState::JobState(std::unique_ptr<JobLease> lease,
                   std::shared_ptr<const Pipeline> model, const Clock& clock,
                   ModelMetrics& metrics, Tracer* tracer, AdapterUses adapters)
    : lease_(std::move(lease)),
      demand_(DemandOf(lease_->job(), clock)),
      model_(std::move(model)),
      adapters_(std::move(adapters)),
      clock_(clock),
      metrics_(metrics),
      tracer_(tracer),
      started_(clock.Now()),
      image_ended_(ImagesDrawn(lease_->job().request())),
      images_left_(ImagesDrawn(lease_->job().request())),
      drawn_(lease_->job().request().has_best_of() ? images_left_ : 0),
      denoise_begin_(started_),
      denoise_end_(started_) {
  metrics_.jobs_running.Increment();
  Record(kQueueSpan, demand_.accepted, started_);
  v1::JobEvent event;
  v1::GenerateRequest& resolved = *event.mutable_started()->mutable_resolved();
  resolved = request();
  ClearPictures(resolved);
  lease_->Post(std::move(event));
  absl::MutexLock lock(&mutex_);
  if (!lease_->checkpoint().empty()) GoOnFromLocked(lease_->checkpoint());
}

// Without an end the lease goes back to the queue, and the job to another.
JobState::~JobState() {
  absl::MutexLock lock(&mutex_);
  if (ended_) return;
  LetGoLocked();
  lease_->Checkpoint(
      CheckpointLocked().Serialize(static_cast<int>(image_ended_.size())));
}

JobCheckpoint JobState::CheckpointLocked() const {
  JobCheckpoint checkpoint = {
      .runs = runs_, .images_failed = images_failed_, .steps_run = steps_run_};
  // With best_of the reader knows of none yet.
  if (request().has_best_of()) return checkpoint;
  for (size_t i = 0; i < image_ended_.size(); ++i) {
    if (image_ended_[i]) checkpoint.ended.insert(static_cast<int>(i));
  }
  return checkpoint;
}

void JobState::GoOnFromLocked(const std::string& checkpoint) {
  auto parsed =
      JobCheckpoint::Parse(checkpoint, static_cast<int>(image_ended_.size()));
  if (!parsed.ok()) {
    spdlog::warn("job {} begins anew: {}", id(),
                 std::string(parsed.status().message()));
    return;
  }
  runs_ = std::move(parsed->runs);
  for (int image : parsed->ended) image_ended_[image] = true;
  images_left_ -= static_cast<uint32_t>(parsed->ended.size());
  images_failed_ = parsed->images_failed;
  steps_run_ = parsed->steps_run;
}

void JobState::KeepRun(int image_index, std::string saved) {
  absl::MutexLock lock(&mutex_);
  if (!saved.empty()) runs_[image_index] = std::move(saved);
}

std::string JobState::KeptRun(int image_index) {
  absl::MutexLock lock(&mutex_);
  const auto kept = runs_.find(image_index);
  return kept == runs_.end() ? "" : kept->second;
}

bool JobState::Wanted() {
  const absl::Status why = WhyEnded(*lease_, demand_.deadline, clock_.Now());
  if (!why.ok()) Fail(why);
  absl::MutexLock lock(&mutex_);
  // Of a job that is another worker's by now, nobody would see anything.
  if (!ended_ && !lease_->Renew()) LetGoLocked();
  return !ended_;
}

bool JobState::Wanted(int image_index) {
  if (!Wanted()) return false;
  absl::MutexLock lock(&mutex_);
  return OpenLocked(image_index);
}

void JobState::LetGoLocked() {
  ended_ = true;
  metrics_.jobs_running.Decrement();
}

bool JobState::OpenLocked(int image_index) const {
  return !ended_ && !image_ended_[image_index];
}

void JobState::EncodingDone(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  encode_ = duration;
  denoise_begin_ = clock_.Now();
  Record(kEncodeSpan, denoise_begin_ - duration, denoise_begin_);
}

void JobState::StepDone(const Step& step) {
  v1::JobEvent event;
  v1::Progress& progress = *event.mutable_progress();
  progress.set_image_index(step.image_index);
  progress.set_step(step.progress.steps_done);
  progress.set_steps(step.progress.steps);
  progress.set_evaluations(step.progress.evaluations_done);
  progress.set_batch_rows(step.batch_rows);
  *progress.mutable_time_left() = ToProto(step.time_left);
  absl::MutexLock lock(&mutex_);
  if (!OpenLocked(step.image_index)) return;
  ++steps_run_;
  denoise_end_ = clock_.Now();
  lease_->Post(std::move(event));
}

void JobState::PostPreview(int image_index, int step, v1::Picture picture) {
  v1::JobEvent event;
  v1::Preview& preview = *event.mutable_preview();
  preview.set_image_index(image_index);
  preview.set_step(step);
  *preview.mutable_picture() = std::move(picture);
  absl::MutexLock lock(&mutex_);
  if (!OpenLocked(image_index)) return;
  if (!previewed_) {
    previewed_ = true;
    metrics_.time_to_first_preview_seconds.Observe(
        absl::ToDoubleSeconds(clock_.Now() - demand_.accepted));
  }
  metrics_.previews.Increment();
  lease_->Post(std::move(event));
}

void JobState::LatentKept(int image_index, std::string name) {
  absl::MutexLock lock(&mutex_);
  latents_[image_index] = std::move(name);
}

void JobState::PostImage(v1::Image image, absl::Duration decode_duration,
                         absl::Duration writing) {
  const auto index = static_cast<int>(image.image_index());
  for (std::string& told : ApproximationsOf(request())) {
    image.add_approximations(std::move(told));
  }
  v1::JobEvent event;
  absl::MutexLock lock(&mutex_);
  if (!OpenLocked(index)) return;
  const auto kept = latents_.find(index);
  if (kept != latents_.end()) image.set_latents(kept->second);
  *event.mutable_image() = std::move(image);
  decode_ += decode_duration;
  writing_ += writing;
  metrics_.images.Increment();
  const absl::Time now = clock_.Now();
  Record(kDecodeSpan, now - decode_duration, now, index);
  CloseImageLocked(index, std::move(event));
}

void JobState::WithholdImage(v1::ImageWithheld image,
                             absl::Duration decode_duration) {
  const auto index = static_cast<int>(image.image_index());
  v1::JobEvent event;
  *event.mutable_image_withheld() = std::move(image);
  absl::MutexLock lock(&mutex_);
  if (!OpenLocked(index)) return;
  decode_ += decode_duration;
  CloseImageLocked(index, std::move(event));
}

void JobState::FailImage(int image_index, const absl::Status& status) {
  v1::JobEvent event;
  v1::ImageFailed& failed = *event.mutable_image_failed();
  failed.set_image_index(image_index);
  *failed.mutable_status() = ToRpcStatus(status);
  absl::MutexLock lock(&mutex_);
  if (OpenLocked(image_index)) CloseImageLocked(image_index, std::move(event));
}

void JobState::TellLocked(v1::JobEvent outcome) {
  if (outcome.has_image_failed()) {
    ++images_failed_;
    first_failure_.Update(FromRpcStatus(outcome.image_failed().status()));
  }
  // A picture that is marked and shown is as good as any.
  const bool blurred = !outcome.image().safety().empty() &&
                       request().safety_policy() == v1::SAFETY_POLICY_BLUR;
  filtered_ = filtered_ || blurred || outcome.has_image_withheld();
  lease_->Post(std::move(outcome));
}

void JobState::CloseImageLocked(int image_index, v1::JobEvent outcome) {
  image_ended_[image_index] = true;
  const bool chooses = request().has_best_of();
  if (chooses) {
    drawn_[image_index] = std::move(outcome);
  } else {
    TellLocked(std::move(outcome));
  }
  if (--images_left_ > 0) return;
  for (v1::JobEvent& best :
       BestImages(std::move(drawn_), request().image_count())) {
    TellLocked(std::move(best));
  }
  const bool none_came = images_failed_ == request().image_count();
  EndLocked(none_came ? first_failure_ : absl::OkStatus());
}

void JobState::Fail(const absl::Status& status) {
  absl::MutexLock lock(&mutex_);
  if (!ended_) EndLocked(status);
}

void JobState::EndLocked(const absl::Status& status) {
  LetGoLocked();
  v1::Ended ended = EndedBy(status);
  ended.set_images_failed(images_failed_);
  ended.set_steps_run(steps_run_);
  *ended.mutable_queued() = ToProto(started_ - demand_.accepted);
  *ended.mutable_encode() = ToProto(encode_);
  *ended.mutable_denoise() = ToProto(denoise_end_ - denoise_begin_);
  *ended.mutable_decode() = ToProto(decode_);
  if (steps_run_ > 0) Record(kDenoiseSpan, denoise_begin_, denoise_end_);
  if (status.ok()) ObserveLocked();
  const int64_t steps = int64_t{demand_.steps} * demand_.images;
  metrics_.CountEnd(status, std::max<int64_t>(0, steps - steps_run_),
                    filtered_);
  lease_->End(std::move(ended));
}

void JobState::Record(const char* name, absl::Time begin, absl::Time end,
                      int image_index) {
  if (tracer_ == nullptr) return;
  Span span;
  span.name = name;
  span.begin = clock_.ToDate(begin);
  span.end = clock_.ToDate(end);
  if (image_index >= 0) {
    span.attributes.emplace_back("genzo.image", int64_t{image_index});
  }
  RecordPart(tracer_, traceparent(), std::move(span));
}

void JobState::ObserveLocked() {
  const auto observe = [](prometheus::Histogram& histogram,
                          absl::Duration duration) {
    histogram.Observe(absl::ToDoubleSeconds(duration));
  };
  observe(metrics_.queue_seconds, started_ - demand_.accepted);
  observe(metrics_.encode_seconds, encode_);
  observe(metrics_.denoise_seconds, denoise_end_ - denoise_begin_);
  observe(metrics_.decode_seconds, decode_);
  observe(metrics_.encode_image_seconds, writing_);
  observe(metrics_.total_seconds, clock_.Now() - demand_.accepted);
  if (lease_->job().has_predicted_finish()) {
    const absl::Duration predicted =
        FromProto(lease_->job().predicted_finish()) - demand_.accepted;
    metrics_.prediction_error.Observe(std::abs(
        absl::FDivDuration(predicted, clock_.Now() - demand_.accepted) - 1));
  }
}

}  // namespace genzo
