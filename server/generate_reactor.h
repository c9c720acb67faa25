#ifndef GENZO_SERVER_GENERATE_REACTOR_H_
#define GENZO_SERVER_GENERATE_REACTOR_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/metrics.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "grpcpp/support/server_callback.h"
#include "queue/event_mailbox.h"
#include "queue/job_queue.h"
#include "server/event_pump.h"

namespace genzo {

// What the streams work with; all outlive them.
struct StreamDependencies {
  JobQueue& queue;
  Metrics& metrics;
  EventPump& pump;
};

// One Generate stream: moves events from the job's mailbox to the client, one
// write in flight, and ends with the job. When the client goes away it cancels
// the job; the stream then ends when the queue reports that. Owns itself until
// gRPC is done with it. Its reactions never block.
class GenerateReactor : public grpc::ServerWriteReactor<v1::GenerateResponse>,
                        public std::enable_shared_from_this<GenerateReactor> {
 public:
  static grpc::ServerWriteReactor<v1::GenerateResponse>* Start(
      grpc::CallbackServerContext* context, internal::v1::Job job,
      const StreamDependencies& dependencies);

  // A stream that ends at once with `status`.
  static grpc::ServerWriteReactor<v1::GenerateResponse>* Refuse(
      grpc::CallbackServerContext* context, const absl::Status& status,
      const StreamDependencies& dependencies);

  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override;
  void OnDone() override;

 private:
  GenerateReactor(grpc::CallbackServerContext* context, std::string job_id,
                  const StreamDependencies& dependencies)
      : context_(context),
        job_id_(std::move(job_id)),
        dependencies_(dependencies) {}

  // Has the pump call Pump(), once for all events that come before it does.
  void SchedulePump();
  // Starts the next write or ends the stream, if neither is under way.
  void Pump() ABSL_LOCKS_EXCLUDED(mutex_);
  void End(const absl::Status& status);

  grpc::CallbackServerContext* const context_;
  const std::string job_id_;
  const StreamDependencies dependencies_;
  const std::shared_ptr<EventMailbox> mailbox_ =
      std::make_shared<EventMailbox>();
  std::shared_ptr<GenerateReactor> self_;  // until OnDone
  grpc::StatusCode code_ = grpc::StatusCode::OK;
  std::atomic<bool> scheduled_{false};
  absl::Mutex mutex_;
  // What is being written; not touched while `writing_`.
  v1::GenerateResponse response_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;  // a write failed
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace genzo

#endif  // GENZO_SERVER_GENERATE_REACTOR_H_
