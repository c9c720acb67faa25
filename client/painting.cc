#include "client/painting.h"

#include <pthread.h>
#include <signal.h>

#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "base/draining.h"
#include "base/errors.h"
#include "client/connection.h"
#include "genzo/v1/image_generation.grpc.pb.h"

namespace genzo {
namespace {

constexpr int kMostTries = 11;  // without an event: about a minute

// While it lives, Ctrl-C cancels a call, or ends a rest between two, instead of
// ending the program.
class InterruptGuard {
 public:
  InterruptGuard() {
    sigemptyset(&signals_);
    for (int signal : {SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals_, signal);
    pthread_sigmask(SIG_BLOCK, &signals_, &previous_);
    watcher_ = std::thread([this] {
      int signal = 0;
      sigwait(&signals_, &signal);
      if (signal == SIGUSR1) return;
      absl::MutexLock lock(&mutex_);
      interrupted_ = true;
      if (call_ != nullptr) call_->TryCancel();
    });
  }

  ~InterruptGuard() {
    // Wakes the watcher, unless Ctrl-C has.
    pthread_kill(watcher_.native_handle(), SIGUSR1);
    watcher_.join();
    // Swallows the wake-up that a departed watcher did not take.
    const timespec now = {};
    while (sigtimedwait(&signals_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &previous_, nullptr);
  }

  // `call` is the one to cancel from now on, at once if Ctrl-C came before;
  // nullptr for none.
  void Watch(grpc::ClientContext* call) {
    absl::MutexLock lock(&mutex_);
    call_ = call;
    if (call_ != nullptr && interrupted_) call_->TryCancel();
  }

  // Unless somebody interrupts it.
  void RestUntil(absl::Time end) {
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithDeadline(absl::Condition(&interrupted_), end);
  }

  bool interrupted() {
    absl::MutexLock lock(&mutex_);
    return interrupted_;
  }

 private:
  sigset_t signals_;
  sigset_t previous_;
  absl::Mutex mutex_;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watcher_;
};

// RFC 9562, version 4.
std::string DrawUuid() {
  absl::BitGen random;
  const auto high = absl::Uniform<uint64_t>(random);
  const auto low = absl::Uniform<uint64_t>(random);
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32,
                         high >> 16 & 0xffff, high & 0xfff,
                         (low >> 48 & 0x3fff) | 0x8000, low & 0xffffffffffff);
}

// What becomes of the job after a call that ended so, where it may go on;
// empty if it does not.
std::string AfterCall(const v1::GenerateRequest& request,
                      const grpc::Status& status) {
  if (request.on_disconnect() != v1::ON_DISCONNECT_CONTINUE) return "";
  const absl::Status error = ErrorOf(status);
  if (error.ok()) return "the job goes on";
  // The job ended with its server, which does not say whether it keeps jobs.
  // Any other error says how the job ended.
  return IsDraining(error) ? "if the server keeps jobs (jobs.results_folder), "
                             "the next one goes on with this one"
                           : "";
}

// What a call that told the job's end comes to.
grpc::Status StatusOf(const v1::Ended& ended) {
  if (ended.state() == v1::JOB_STATE_SUCCEEDED) return grpc::Status::OK;
  google::rpc::Status error = ended.status();
  if (error.code() == 0) {
    error.set_code(static_cast<int>(grpc::StatusCode::UNKNOWN));
    error.set_message("the job ended, and the server does not say why");
  }
  return grpc::Status(static_cast<grpc::StatusCode>(error.code()),
                      error.message(), error.SerializeAsString());
}

// One request on its way, over any number of calls.
class Painting {
 public:
  Painting(const PaintOptions& options, const v1::GenerateRequest& request,
           PictureSink& sink)
      : options_(options), request_(request), sink_(sink) {}

  ExitStatus Run();

 private:
  // How long to rest before the call is made again; nullopt if this was the
  // last one.
  std::optional<absl::Duration> RestAfter(const grpc::Status& status);
  // Says why there is another one, once.
  void TellOf(const grpc::Status& status);
  ExitStatus End(const grpc::Status& status, bool interrupted);
  ExitStatus Report(const grpc::Status& status) const;
  // Makes the call and reads it to its end.
  grpc::Status Call(v1::ImageGeneration::Stub& stub, InterruptGuard& guard);
  // What the job came to, if its end was told.
  std::optional<grpc::Status> Read(grpc::ClientReader<v1::JobEvent>& stream);

  const PaintOptions& options_;
  const v1::GenerateRequest& request_;
  PictureSink& sink_;
  Reconnection reconnection_{kMostTries, options_.first_rest};
  std::string first_job_;
  bool told_loading_ = false;
};

std::optional<grpc::Status> Painting::Read(
    grpc::ClientReader<v1::JobEvent>& stream) {
  std::optional<grpc::Status> end;
  v1::JobEvent event;
  while (stream.Read(&event)) {
    if (IsEndOfServer(event)) continue;  // the call's status says so, too
    if (event.has_ended()) end = StatusOf(event.ended());
    const bool is_new = sink_.Take(std::move(event));
    if (first_job_.empty()) first_job_ = sink_.job_id();
    // Not of one that is made anew: the request may be what breaks servers.
    if (is_new && sink_.job_id() == first_job_) reconnection_.Heard();
  }
  return end;
}

std::optional<absl::Duration> Painting::RestAfter(const grpc::Status& status) {
  const absl::Duration loading = LoadingTime(status);
  if (loading > absl::ZeroDuration()) return loading;
  // What never began is not known to be possible.
  if (status.ok() || sink_.job_id().empty()) return std::nullopt;
  return reconnection_.RestAfter(status);
}

void Painting::TellOf(const grpc::Status& status) {
  if (LoadingTime(status) > absl::ZeroDuration()) {
    if (!std::exchange(told_loading_, true)) sink_.Say("the model is loading");
  } else if (reconnection_.is_first()) {
    sink_.Say(absl::StrCat(DescribeBreak(status, options_.server),
                           "; sending the request again"));
  }
}

ExitStatus Painting::End(const grpc::Status& status, bool interrupted) {
  const std::string job_id = sink_.job_id();
  const ExitStatus pictures = sink_.Finish();
  if (status.ok()) return pictures;
  const std::string after = job_id.empty() ? "" : AfterCall(request_, status);
  if (interrupted && after.empty()) return Fail("cancelled", kExitInterrupted);
  const ExitStatus end = interrupted ? kExitInterrupted : Report(status);
  return after.empty()
             ? end
             : Fail(absl::StrCat(after, ": genzo watch ", job_id), end);
}

ExitStatus Painting::Report(const grpc::Status& status) const {
  const bool is_ours =
      status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED &&
      ErrorOf(status).ok() &&
      options_.deadline != std::chrono::system_clock::time_point::max();
  return is_ours ? Fail("--timeout passed before it was done", kExitDeadline)
                 : ReportFailure(status, options_.server);
}

grpc::Status Painting::Call(v1::ImageGeneration::Stub& stub,
                            InterruptGuard& guard) {
  grpc::ClientContext context;
  context.set_deadline(options_.deadline);
  guard.Watch(&context);
  const auto stream = stub.Generate(&context, request_);
  const std::optional<grpc::Status> end = Read(*stream);
  const grpc::Status status = stream->Finish();
  guard.Watch(nullptr);
  // Whatever became of the connection after it.
  return end.value_or(status);
}

ExitStatus Painting::Run() {
  InterruptGuard guard;
  // Behind the guard: gRPC's threads are not to take its signals.
  const auto stub = v1::ImageGeneration::NewStub(Connect(options_.server));
  for (;;) {
    const grpc::Status status = Call(*stub, guard);
    const auto rest = guard.interrupted() ? std::nullopt : RestAfter(status);
    const absl::Time again = absl::Now() + rest.value_or(absl::ZeroDuration());
    if (rest.has_value() && again < absl::FromChrono(options_.deadline)) {
      TellOf(status);
      guard.RestUntil(again);
      sink_.Resume();
      if (!guard.interrupted()) continue;
    }
    return End(status, guard.interrupted());
  }
}

}  // namespace

ExitStatus Paint(const PaintOptions& options, v1::GenerateRequest request,
                 PictureSink& sink) {
  if (request.request_id().empty()) request.set_request_id(DrawUuid());
  return Painting(options, request, sink).Run();
}

}  // namespace genzo
