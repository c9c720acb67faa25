#ifndef GENZO_TOOLS_BENCH_GENERATE_CALL_H_
#define GENZO_TOOLS_BENCH_GENERATE_CALL_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/event_assembler.h"
#include "genzo/v1/image_generation.grpc.pb.h"
#include "grpcpp/client_context.h"
#include "grpcpp/support/client_callback.h"
#include "tools/bench/measurement.h"
#include "tools/bench/request_mix.h"

namespace genzo {

// One call to be made.
struct CallPlan {
  int index = 0;  // comes back in the Measurement
  MixedRequest mixed = {};
  std::string tenant = {};  // empty: the common one
  // The call's deadline, from arrival.
  std::optional<absl::Duration> deadline = {};
  uint32_t cancel_at_step = 0;  // 0: never
  bool keep_picture = false;
};

class GenerateCall;

// Hears of calls, from gRPC's threads. Must not block.
class CallListener {
 public:
  virtual ~CallListener() = default;
  virtual void OnEvent(const GenerateCall& call, const v1::JobEvent& event) = 0;
  // The last that is heard of `call`.
  virtual void OnEnd(const GenerateCall& call, Measurement measurement) = 0;
};

// One Generate stream, without a thread of its own: thousands may be in flight.
// Owns itself from Start() to OnEnd.
class GenerateCall : public grpc::ClientReadReactor<v1::JobEvent>,
                     public std::enable_shared_from_this<GenerateCall> {
 public:
  // `clock` and `listener` outlive the call.
  GenerateCall(CallPlan plan, absl::Time arrival, const Clock& clock,
               CallListener& listener);

  // Called once.
  void Start(v1::ImageGeneration::Stub& stub);
  // Thread-safe. The end is heard of as usual.
  void Cancel();

 private:
  void OnReadDone(bool ok) override;
  void OnDone(const grpc::Status& status) override;
  std::shared_ptr<grpc::ClientContext> context() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Duration SinceArrival() const { return clock_.Now() - arrival_; }

  const CallPlan plan_;
  const absl::Time arrival_;
  const Clock& clock_;
  CallListener& listener_;
  absl::Mutex mutex_;
  // Null once the call has ended: it holds the channel, which must not die on
  // a thread of gRPC's.
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> cancelled_{false};
  // Touched by one reaction at a time.
  v1::JobEvent event_;
  EventAssembler assembler_;
  Measurement measurement_;
  std::shared_ptr<GenerateCall> self_;  // from Start() to OnDone
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_GENERATE_CALL_H_
