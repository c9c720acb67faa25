#include "server/rpc/generate_reactor.h"

#include "absl/strings/str_cat.h"
#include "base/draining.h"
#include "base/errors.h"
#include "queue/job_end.h"
#include "server/rpc/grpc_call.h"
#include "server/rpc/grpc_status.h"

namespace genzo {

using v1::JobEvent;

std::shared_ptr<GenerateReactor> GenerateReactor::Make(
    grpc::CallbackServerContext* context, const StreamKind& kind,
    const StreamDependencies& dependencies) {
  const std::shared_ptr<GenerateReactor> reactor(
      new GenerateReactor(context, kind, dependencies));
  reactor->self_ = reactor;
  return reactor;
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerateReactor::Start(
    grpc::CallbackServerContext* context, const StreamKind& kind,
    const Opening& open, const StreamDependencies& dependencies) {
  const auto reactor = Make(context, kind, dependencies);
  const std::weak_ptr<GenerateReactor> weak = reactor;
  auto reader = open({.event =
                          [weak] {
                            if (const auto alive = weak.lock()) {
                              alive->SchedulePump();
                            }
                          },
                      .given_up =
                          [weak] {
                            if (const auto alive = weak.lock()) {
                              alive->GiveUp();
                            }
                          }});
  if (!reader.ok()) {
    reactor->End(reader.status());
    return reactor.get();
  }
  const std::string& traceparent = (*reader)->traceparent();
  // Not before the job is there: with the first write, or with the end.
  if (!traceparent.empty()) {
    context->AddInitialMetadata("traceparent", traceparent);
  }
  {
    absl::MutexLock lock(&reactor->mutex_);
    reactor->traceparent_ = traceparent;
    reactor->reader_ = *std::move(reader);
  }
  reactor->SchedulePump();
  return reactor.get();
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* GenerateReactor::Refuse(
    grpc::CallbackServerContext* context, const StreamKind& kind,
    const absl::Status& status, const StreamDependencies& dependencies) {
  const auto reactor = Make(context, kind, dependencies);
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

std::shared_ptr<const JobEvent> GenerateReactor::NextPartLocked() {
  auto part = parts_.Next();
  if (part != nullptr || reader_ == nullptr) return part;
  parts_ = EventParts(reader_->Next());
  return parts_.Next();
}

void GenerateReactor::Pump() {
  absl::Status drained;
  {
    absl::MutexLock lock(&mutex_);
    if (writing_ || ended_ || gone_) return;
    const auto part = NextPartLocked();
    if (part == nullptr) return;
    if (part->has_image() && delivering_ == absl::InfiniteFuture()) {
      delivering_ = dependencies_.clock.Date();
    }
    last_ = part->has_ended();
    if (last_) end_ = StatusOf(part->ended());
    if (last_ && kind_.ends_ok) {
      if (IsDraining(end_)) drained = end_;
      end_ = absl::OkStatus();
    }
    writing_ = drained.ok();
    if (writing_) bytes_ = ToBytes(*part);
  }
  drained.ok() ? StartWrite(&bytes_) : End(drained);
}

void GenerateReactor::OnWriteDone(bool ok) {
  absl::Status end = absl::OkStatus();
  bool over = true;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) gone_ = true;  // no pump writes again before the call has ended
    if (gone_) {
      end = JobCancelledError();
    } else if (last_) {
      end = end_;
    } else {
      over = false;
    }
  }
  over ? End(end) : Pump();
}

void GenerateReactor::OnCancel() {
  std::unique_ptr<EventReader> reader;
  {
    absl::MutexLock lock(&mutex_);
    gone_ = true;
    reader = std::move(reader_);  // frees the job's place at its next step
    if (writing_) return;         // OnWriteDone ends it
  }
  End(JobCancelledError());
}

void GenerateReactor::GiveUp() {
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    giving_up_ = true;
  }
  // The context is there until after Finish(), which End() puts off meanwhile.
  context_->TryCancel();
  std::optional<absl::Status> end;
  {
    absl::MutexLock lock(&mutex_);
    giving_up_ = false;
    end = std::move(waiting_end_);
  }
  if (end.has_value()) End(*end);
}

void GenerateReactor::End(const absl::Status& status) {
  std::unique_ptr<EventReader> reader;
  {
    absl::MutexLock lock(&mutex_);
    if (ended_) return;
    reader = std::move(reader_);
    if (giving_up_) {
      waiting_end_ = status;
      return;
    }
    ended_ = true;
  }
  TellRetry(status, *context_);
  const grpc::Status grpc_status = ToGrpcStatus(status);
  code_ = grpc_status.error_code();
  Finish(grpc_status);
}

void GenerateReactor::RecordDelivery() {
  absl::Time begin;
  {
    absl::MutexLock lock(&mutex_);
    begin = delivering_;
  }
  if (begin == absl::InfiniteFuture()) return;
  RecordPart(dependencies_.tracer, traceparent_,
             {.name = kDeliverSpan,
              .begin = begin,
              .end = dependencies_.clock.Date(),
              .attributes = {{"rpc.method", kind_.method},
                             {"rpc.grpc.status", GrpcCodeName(code_)}}});
}

void GenerateReactor::OnDone() {
  dependencies_.metrics.CountRequest(kind_.method, GrpcCodeName(code_));
  RecordDelivery();
  self_.reset();
}

}  // namespace genzo
