#ifndef GENZO_TOOLS_BENCH_LOAD_H_
#define GENZO_TOOLS_BENCH_LOAD_H_

#include <functional>
#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "tools/bench/generate_call.h"
#include "tools/bench/load_plan.h"
#include "tools/bench/measurement.h"
#include "tools/bench/progress_line.h"

namespace genzo {

// A call of an open loop.
struct TimedCall {
  absl::Duration arrival;  // since the load's start
  CallPlan plan;
};

// Clients that each send their next request when the last has ended.
struct ClosedLoop {
  int clients = 1;
  // After it no request is sent. Requests are rounded up to a multiple of the
  // clients.
  Horizon horizon = {};
  // The `index`-th request, from 0. Called from any thread, not concurrently.
  std::function<CallPlan(int index)> plan;
};

// What became of a load.
struct LoadResult {
  std::vector<Measurement> measurements = {};  // in the order of their ends
  absl::Duration window = {};  // from the load's start to its last call's end
  int unsent = 0;  // calls of an open loop not sent: no server any more
  bool server_gone = false;

  // Counts `other` as a later part of this load.
  void Append(LoadResult other);
};

// Sends one load and waits until every call has ended. A load that hears
// nothing for `grace` gives its calls up as hung and cancels them. Used once,
// by one thread.
class Load : public CallListener {
 public:
  // The arguments outlive the load.
  Load(v1::ImageGeneration::Stub& stub, absl::Duration grace,
       ProgressLine& progress, const Clock& clock)
      : stub_(stub), grace_(grace), progress_(progress), clock_(clock) {}

  // Sends every call when it is due. Stops when the server is gone.
  LoadResult RunOpen(std::vector<TimedCall> calls) ABSL_LOCKS_EXCLUDED(mutex_);

  // A client stays away once a call of it has failed other than by being
  // cancelled: asking again at once would only measure refusals.
  LoadResult RunClosed(ClosedLoop loop) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void OnEvent(const GenerateCall& call, const v1::JobEvent& event) override
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnEnd(const GenerateCall& call, Measurement measurement) override
      ABSL_LOCKS_EXCLUDED(mutex_);

  void Begin() ABSL_LOCKS_EXCLUDED(mutex_);
  void Send(CallPlan plan, absl::Time arrival) ABSL_LOCKS_EXCLUDED(mutex_);
  // Whether a client goes on after a call that ended so.
  bool GoesOn(const Measurement& measurement) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HorizonIsReached() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool NoneIsOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return open_ == 0;
  }
  // Waits until nothing is open or nothing is heard any more; returns the calls
  // that hang.
  std::vector<std::shared_ptr<GenerateCall>> AwaitEndOrSilence()
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits until nothing is open; cancels what hangs.
  LoadResult Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  v1::ImageGeneration::Stub& stub_;
  const absl::Duration grace_;
  ProgressLine& progress_;
  const Clock& clock_;
  absl::Time begin_;  // set before the first call
  ClosedLoop loop_;   // set before the first call; no plan: open loop
  absl::Mutex mutex_;
  int sent_ ABSL_GUARDED_BY(mutex_) = 0;
  int open_ ABSL_GUARDED_BY(mutex_) = 0;  // calls in flight or about to be
  bool hanging_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<const GenerateCall*, std::weak_ptr<GenerateCall>> calls_
      ABSL_GUARDED_BY(mutex_);
  LoadResult result_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_LOAD_H_
