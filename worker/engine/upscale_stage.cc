#include "worker/engine/upscale_stage.h"

#include <exception>
#include <utility>

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "base/proto_time.h"
#include "c10/core/InferenceMode.h"
#include "queue/job_end.h"
#include "worker/device/exception_status.h"
#include "worker/device/thread_count.h"
#include "worker/engine/source_picture.h"
#include "worker/media/enlarged_text.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/pixel_tensors.h"
#include "worker/media/watermark.h"

namespace genzo {
namespace {

absl::Status EnlargingFailed() {
  return WithReason(StatusFromException("enlarging failed"), kEvaluationFailed);
}

v1::JobEvent ProgressEvent(const Enlargement& enlargement,
                           absl::Duration took) {
  v1::JobEvent event;
  v1::Progress& progress = *event.mutable_progress();
  const int done = enlargement.tiles_done();
  progress.set_step(done);
  progress.set_steps(enlargement.tiles());
  progress.set_evaluations(done);
  progress.set_batch_rows(1);
  *progress.mutable_time_left() =
      ToProto(took / done * (enlargement.tiles() - done));
  return event;
}

// What ends a sent picture's job: its file, or why there is none.
void EndSent(JobLease& lease, absl::StatusOr<v1::Picture> picture,
             v1::Ended times) {
  if (picture.ok()) {
    v1::JobEvent event;
    *event.mutable_image()->mutable_picture() = *std::move(picture);
    lease.Post(std::move(event));
  }
  v1::Ended ended = EndedBy(picture.status());
  ended.MergeFrom(times);
  lease.End(std::move(ended));
}

}  // namespace

UpscaleStage::UpscaleStage(Options options, const DeviceStream& stream,
                           const Clock& clock, Metrics& metrics)
    : options_(std::move(options)),
      stream_(stream),
      clock_(clock),
      metrics_(metrics),
      loaded_(options_.upscalers == nullptr ? filters_ : *options_.upscalers,
              options_.device),
      writer_(/*capacity=*/1) {
  thread_ = std::thread([this] { Loop(); });
}

UpscaleStage::~UpscaleStage() {
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
  }
  if (options_.queue != nullptr) options_.queue->Nudge();
  thread_.join();
}

void UpscaleStage::Submit(UpscaleTask task) {
  {
    absl::MutexLock lock(&mutex_);
    ++images_[task.job->demand().tenant];
    tasks_.push_back(std::move(task));
  }
  if (options_.queue != nullptr) options_.queue->Nudge();
}

TenantCounts UpscaleStage::Images() const {
  absl::MutexLock lock(&mutex_);
  return images_;
}

void UpscaleStage::AwaitOne() {
  const auto is_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return done_ > seen_ || images_.empty();
  };
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&is_news));
  seen_ = done_;
}

void UpscaleStage::Loop() {
  c10::InferenceMode inference;
  const DeviceStream::Scope on_stream(stream_);
  while (true) {
    RunTasks();
    if (std::shared_ptr<JobLease> lease = TakeSent()) {
      RunSent(std::move(lease));
      continue;
    }
    absl::MutexLock lock(&mutex_);
    if (closed_ && tasks_.empty()) return;
  }
}

std::shared_ptr<JobLease> UpscaleStage::TakeSent() {
  const bool may_come = options_.queue != nullptr && !options_.queue->Done();
  const auto is_news = [this,
                        may_come]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closed_ || !tasks_.empty() || (may_come && usable_);
  };
  {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&is_news));
    if (!may_come || !usable_) return nullptr;
  }
  // Whoever changes what is awaited nudges the queue.
  return options_.queue->Take(TakeRules());
}

void UpscaleStage::SetUsable(bool usable) {
  {
    absl::MutexLock lock(&mutex_);
    usable_ = usable;
  }
  if (options_.queue != nullptr) options_.queue->Nudge();
}

bool UpscaleStage::IsThePictures(const absl::Status& fault) {
  if (!absl::IsInternal(fault)) return true;
  {
    absl::MutexLock lock(&mutex_);
    if (!usable_) return false;
  }
  if (!options_.device_works || options_.device_works()) return true;
  {
    absl::MutexLock lock(&mutex_);
    usable_ = false;
  }
  // Last: it may have SetUsable() called.
  if (options_.on_broken) options_.on_broken();
  return false;
}

void UpscaleStage::RunTasks() {
  while (true) {
    UpscaleTask task;
    {
      absl::MutexLock lock(&mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    Run(task);
    {
      absl::MutexLock lock(&mutex_);
      const auto images = images_.find(task.job->demand().tenant);
      if (--images->second == 0) images_.erase(images);
      ++done_;
    }
    task = {};
    if (options_.on_done) options_.on_done();
  }
}

void UpscaleStage::Run(const UpscaleTask& task) {
  const absl::Status status = TryTo(task);
  if (status.ok()) return;
  if (!IsThePictures(status) && task.job->MayGoElsewhere()) {
    if (task.keep) task.keep();
    return;  // the last who drops the job gives it back
  }
  task.job->FailImage(task.image_index, WithReason(status, kEvaluationFailed));
}

absl::Status UpscaleStage::TryTo(const UpscaleTask& task) {
  const auto may_go_on = [&]() ABSL_LOCKS_EXCLUDED(mutex_) {
    if (!task.job->Wanted(task.image_index)) return JobCancelledError();
    absl::MutexLock lock(&mutex_);
    return usable_ ? absl::OkStatus()
                   : absl::InternalError("the device is out of use");
  };
  const absl::Status begins = may_go_on();
  if (!begins.ok()) return begins;
  try {
    auto larger = Enlarge(task.upscaler, task.size, task.pixels(),
                          [&](const Enlargement&) { return may_go_on(); });
    return larger.ok() ? task.done(*std::move(larger)) : larger.status();
  } catch (const std::exception&) {
    return EnlargingFailed();
  }
}

absl::StatusOr<at::Tensor> UpscaleStage::Enlarge(const std::string& upscaler,
                                                 const v1::UpscaleRequest& size,
                                                 at::Tensor pixels,
                                                 const GoOn& go_on) {
  const auto loaded = loaded_.Get(upscaler);
  if (!loaded.ok()) return loaded.status();
  if (size.has_width()) {
    pixels = CropToProportions(pixels, {size.width(), size.height()});
  }
  const auto plan =
      PlanUpscale(size, loaded->upscaler, {pixels.size(3), pixels.size(2)});
  if (!plan.ok()) return plan.status();
  Enlargement enlargement(loaded->network, std::move(pixels), *plan,
                          options_.memory_bytes);
  while (!enlargement.finished()) {
    UseThreads(options_.threads ? options_.threads() : 1);
    enlargement.Step();
    if (options_.tiles != nullptr) options_.tiles->Increment();
    const absl::Status status = go_on(enlargement);
    if (!status.ok()) return status;
  }
  return enlargement.result();
}

absl::StatusOr<at::Tensor> UpscaleStage::EnlargeSent(JobLease& lease,
                                                     absl::Time deadline) {
  const v1::UpscaleRequest& request = lease.job().upscale();
  const auto pixels = DecodePicture(
      request.picture().data(),
      {.max_bytes = static_cast<int64_t>(request.picture().data().size()),
       .max_pixels = kMaxSourcePixels});
  if (!pixels.ok()) return FaultOfField("picture", pixels.status());
  const absl::Time begin = clock_.Now();
  const auto go_on = [&](const Enlargement& enlargement) {
    const absl::Time now = clock_.Now();
    lease.Post(ProgressEvent(enlargement, now - begin));
    RunTasks();  // of pictures that steps wait for
    return WhyEnded(lease, deadline, now);
  };
  return Enlarge(request.upscaler(), request, ToTensor(*pixels) / 2 + 0.5,
                 go_on);
}

void UpscaleStage::RunSent(std::shared_ptr<JobLease> lease) {
  const JobDemand demand = DemandOf(lease->job(), clock_);
  ModelMetrics& metrics = metrics_.ForModel(demand.model);
  const absl::Time begin = clock_.Now();
  const absl::Status ended = WhyEnded(*lease, demand.deadline, begin);
  if (!ended.ok()) return FailLease(*lease, demand, ended, metrics);
  v1::JobEvent started;
  *started.mutable_started()->mutable_resolved() = lease->job().request();
  lease->Post(std::move(started));
  absl::StatusOr<at::Tensor> larger = JobCancelledError();
  try {
    larger = EnlargeSent(*lease, demand.deadline);
  } catch (const std::exception&) {
    larger = EnlargingFailed();
  }
  v1::Ended times;
  *times.mutable_queued() = ToProto(begin - demand.accepted);
  *times.mutable_denoise() = ToProto(clock_.Now() - begin);
  const bool may_go_elsewhere = lease->attempt() < JobLease::kMostAttempts;
  // Dropped, it waits again for another worker.
  if (!IsThePictures(larger.status()) && may_go_elsewhere) return;
  if (!larger.ok()) {
    spdlog::info("job {} ends: {}", lease->job().id(),
                 std::string(larger.status().message()));
    return FailLease(*lease, demand, larger.status(), metrics);
  }
  const v1::UpscaleRequest& request = lease->job().upscale();
  const v1::OutputOptions& output = request.output();
  Pixels pixels;
  try {
    pixels = ToPixels(*larger * 2 - 1);
    larger = at::Tensor();  // room for the file
    if (output.watermark()) AddWatermark(pixels);
  } catch (const std::exception&) {
    return FailLease(*lease, demand, EnlargingFailed(), metrics);
  }
  writer_.Submit(
      {.pixels = std::move(pixels),
       .format = {.format = output.format(),
                  .quality = static_cast<int>(output.quality())},
       .text = EnlargedText(request, request.upscaler() != kLanczos),
       .done = [lease, times, &metrics](absl::StatusOr<v1::Picture> picture) {
         (picture.ok() ? metrics.jobs_succeeded : metrics.jobs_failed)
             .Increment();
         EndSent(*lease, std::move(picture), times);
       }});
}

}  // namespace genzo
