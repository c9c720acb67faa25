#include "tools/bench/generate_call.h"

#include <chrono>
#include <utility>

namespace genzo {

GenerateCall::GenerateCall(CallPlan plan, absl::Time arrival,
                           const Clock& clock, CallListener& listener)
    : plan_(std::move(plan)),
      arrival_(arrival),
      clock_(clock),
      listener_(listener),
      context_(std::make_shared<grpc::ClientContext>()) {
  measurement_.index = plan_.index;
  measurement_.kind = plan_.mixed.kind;
  measurement_.tenant = plan_.tenant;
}

void GenerateCall::Start(v1::ImageGeneration::Stub& stub) {
  self_ = shared_from_this();
  grpc::ClientContext& context = *this->context();  // ours until StartCall()
  if (!plan_.tenant.empty()) {
    context.AddMetadata("x-genzo-tenant", plan_.tenant);
  }
  if (plan_.deadline.has_value()) {
    // gRPC's deadlines are wall-clock times.
    const absl::Duration left = *plan_.deadline - SinceArrival();
    context.set_deadline(std::chrono::system_clock::now() +
                         absl::ToChronoMicroseconds(left));
  }
  stub.async()->Generate(&context, &plan_.mixed.request, this);
  StartRead(&event_);
  StartCall();
}

void GenerateCall::Cancel() {
  cancelled_ = true;
  if (const auto context = this->context()) context->TryCancel();
}

std::shared_ptr<grpc::ClientContext> GenerateCall::context() {
  absl::MutexLock lock(&mutex_);
  return context_;
}

void GenerateCall::OnReadDone(bool ok) {
  if (!ok) return;  // OnDone follows
  if (const auto event = assembler_.Add(std::move(event_))) {
    measurement_.Note(*event, SinceArrival(), plan_.keep_picture);
    if (plan_.cancel_at_step > 0 &&
        event->progress().step() >= plan_.cancel_at_step && !cancelled_) {
      Cancel();
    }
    listener_.OnEvent(*this, *event);
  }
  StartRead(&event_);
}

void GenerateCall::OnDone(const grpc::Status& status) {
  const std::shared_ptr<GenerateCall> alive = std::move(self_);
  measurement_.cancelled = cancelled_;
  measurement_.NoteEnd(status, SinceArrival());
  {
    // Before the end is told: then the listener may let go of the channel.
    absl::MutexLock lock(&mutex_);
    context_.reset();
  }
  listener_.OnEnd(*this, std::move(measurement_));
}

}  // namespace genzo
