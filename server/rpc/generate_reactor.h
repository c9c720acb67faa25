#ifndef GENZO_SERVER_RPC_GENERATE_REACTOR_H_
#define GENZO_SERVER_RPC_GENERATE_REACTOR_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/tracing.h"
#include "base/work_thread.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "server/jobs/event_logs.h"
#include "server/jobs/event_parts.h"

namespace genzo {

// What the streams work with; all outlive them.
struct StreamDependencies {
  Metrics& metrics;
  // Starts the writes. A worker that posts an event goes on with its next step
  // at once: a write serialises, calls the kernel and often runs what it wakes.
  // What is added must not block: all streams wait for it.
  WorkThread& pump;
  const Clock& clock;
  Tracer* tracer = nullptr;
};

// Which call a stream is.
struct StreamKind {
  const char* method;
  // Whether the call ends with OK however its job does, but for a server that
  // stops, which is not the job's end.
  bool ends_ok;
};
inline constexpr StreamKind kGenerateStream = {"Generate", false};
inline constexpr StreamKind kWatchStream = {"WatchJob", true};

// One stream of a job's events: moves events from the job's log to the client.
// Its life:
//   open     while the job has events, one write is in flight; large pictures
//            take several
//   ended    the job's end was written, or the client is gone: Finish() was
//            called, and the job was left
//   done     gRPC is through with it; it owned itself until here
// The pump's thread starts writes and gRPC's threads bring the reactions, which
// never block. Thread-safe.
class GenerateReactor : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                        public std::enable_shared_from_this<GenerateReactor> {
 public:
  // Gives a reader that calls the listener, or says why there is none.
  using Opening = std::function<absl::StatusOr<std::unique_ptr<EventReader>>(
      const ReaderListener& listener)>;

  // A stream of what the reader of `open` reads; ends at once with its error if
  // there is none.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Start(
      grpc::CallbackServerContext* context, const StreamKind& kind,
      const Opening& open, const StreamDependencies& dependencies);

  // A stream that ends at once with `status`.
  static grpc::ServerWriteReactor<grpc::ByteBuffer>* Refuse(
      grpc::CallbackServerContext* context, const StreamKind& kind,
      const absl::Status& status, const StreamDependencies& dependencies);

  // The write is through, or (`ok` false) the client is gone.
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  // The client is gone, or its deadline has passed: leaves the job.
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  // Frees the reactor.
  void OnDone() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  GenerateReactor(grpc::CallbackServerContext* context, const StreamKind& kind,
                  const StreamDependencies& dependencies)
      : context_(context), kind_(kind), dependencies_(dependencies) {}

  static std::shared_ptr<GenerateReactor> Make(
      grpc::CallbackServerContext* context, const StreamKind& kind,
      const StreamDependencies& dependencies);
  // Has the pump call Pump(), once for all events that come before it does.
  void SchedulePump();
  // Starts the next write or ends the stream, if neither is under way.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  std::shared_ptr<const v1::JobEvent> NextPartLocked()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Breaks the stream off: its client reads nothing. OnCancel follows.
  void GiveUp() ABSL_LOCKS_EXCLUDED(mutex_);
  // The span from the first picture on.
  void RecordDelivery() ABSL_LOCKS_EXCLUDED(mutex_);
  // Leaves the job and finishes the call, the first time.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  grpc::CallbackServerContext* const context_;
  const StreamKind kind_;
  const StreamDependencies dependencies_;
  std::shared_ptr<GenerateReactor> self_;  // until OnDone
  grpc::StatusCode code_ = grpc::StatusCode::OK;
  std::atomic<bool> scheduled_{false};
  absl::Mutex mutex_;
  // Null before it was opened and after the end.
  std::unique_ptr<EventReader> reader_ ABSL_GUARDED_BY(mutex_);
  EventParts parts_ ABSL_GUARDED_BY(mutex_);
  // Of the job; empty if nobody traces it. Not written once the reader is
  // there.
  std::string traceparent_;
  // When the first picture was picked up to be written, by the date.
  absl::Time delivering_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  grpc::ByteBuffer bytes_;  // being written; not touched while `writing_`
  absl::Status end_;        // once `last_`
  bool last_ ABSL_GUARDED_BY(mutex_) = false;  // `ended` is being written
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool gone_ ABSL_GUARDED_BY(mutex_) = false;  // the client is
  bool giving_up_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> waiting_end_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;  // Finish() was called
};

}  // namespace genzo

#endif  // GENZO_SERVER_RPC_GENERATE_REACTOR_H_
