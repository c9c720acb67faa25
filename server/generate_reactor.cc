#include "server/generate_reactor.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "server/grpc_status.h"

namespace genzo {

using v1::GenerateResponse;

grpc::ServerWriteReactor<GenerateResponse>* GenerateReactor::Start(
    grpc::CallbackServerContext* context, internal::v1::Job job,
    const StreamDependencies& dependencies) {
  const std::shared_ptr<GenerateReactor> reactor(
      new GenerateReactor(context, job.id(), dependencies));
  reactor->self_ = reactor;
  const absl::Status submitted =
      dependencies.queue.Submit(std::move(job), reactor->mailbox_);
  if (!submitted.ok()) {
    dependencies.metrics.CountShed(ErrorReason(submitted));
    reactor->End(submitted);
    return reactor.get();
  }
  // The mailbox may outlive the stream, so its listener must not keep it.
  reactor->mailbox_->SetListener(
      [weak = std::weak_ptr<GenerateReactor>(reactor)] {
        if (const auto alive = weak.lock()) alive->SchedulePump();
      });
  return reactor.get();
}

grpc::ServerWriteReactor<GenerateResponse>* GenerateReactor::Refuse(
    grpc::CallbackServerContext* context, const absl::Status& status,
    const StreamDependencies& dependencies) {
  const std::shared_ptr<GenerateReactor> reactor(
      new GenerateReactor(context, /*job_id=*/"", dependencies));
  reactor->self_ = reactor;
  reactor->End(status);
  return reactor.get();
}

void GenerateReactor::SchedulePump() {
  if (scheduled_.exchange(true)) return;
  dependencies_.pump.Add([self = shared_from_this()] {
    self->scheduled_ = false;
    self->Pump();
  });
}

void GenerateReactor::Pump() {
  absl::Status failure;
  {
    absl::MutexLock lock(&mutex_);
    if (writing_ || ended_) return;
    std::optional<internal::v1::JobEvent> event = mailbox_->Take();
    // After a failed write the client is gone: events have no taker, but the
    // last one still ends the stream.
    while (broken_ && event.has_value() && event->has_response() &&
           !event->response().has_finished()) {
      event = mailbox_->Take();
    }
    if (!event.has_value()) return;
    const bool last = event->has_failed() || broken_;
    if (last) {
      ended_ = true;
      failure = event->has_failed() ? FromRpcStatus(event->failed())
                                    : absl::CancelledError("client left");
    } else {
      writing_ = true;
      response_ = std::move(*event->mutable_response());
    }
  }
  if (!failure.ok()) return End(failure);
  StartWrite(&response_);
}

void GenerateReactor::OnWriteDone(bool ok) {
  bool finished = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
    finished = response_.has_finished();
    ended_ = ended_ || finished;
  }
  if (finished) return End(absl::OkStatus());
  Pump();
}

void GenerateReactor::OnCancel() {
  if (!job_id_.empty()) dependencies_.queue.Cancel(job_id_);
}

void GenerateReactor::End(const absl::Status& status) {
  const absl::Duration retry_after = RetryAfter(status);
  if (retry_after > absl::ZeroDuration()) {
    context_->AddTrailingMetadata(
        "grpc-retry-pushback-ms",
        absl::StrCat(absl::ToInt64Milliseconds(retry_after)));
  }
  const grpc::Status grpc_status = ToGrpcStatus(status);
  code_ = grpc_status.error_code();
  Finish(grpc_status);
}

void GenerateReactor::OnDone() {
  dependencies_.metrics.CountRequest("Generate", GrpcCodeName(code_));
  self_.reset();
}

}  // namespace genzo
