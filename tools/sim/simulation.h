#ifndef GENZO_TOOLS_SIM_SIMULATION_H_
#define GENZO_TOOLS_SIM_SIMULATION_H_

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "queue/model_speeds.h"
#include "tools/sim/workload.h"
#include "worker/residency/eviction.h"

namespace genzo {

// A device that is out of order for a time. Its jobs begin again elsewhere.
struct SimFailure {
  int device = 0;
  absl::Duration at;  // from the beginning
  absl::Duration downtime = absl::Seconds(30);
};

// What the requests meet.
struct SimOptions {
  int devices = 1;
  ModelSpeed speed;  // of every model
  int max_live_runs = 32;
  int max_wait_steps = 16;
  int queue_capacity = 64;
  double noise = 0.05;  // relative deviation of an evaluation's time
  size_t models = 1;    // that are asked for
  int64_t model_bytes = 0;
  int64_t budget_bytes = 1;  // a device; enough for every model if
                             // `model_bytes` is 0
  absl::Duration load_time;  // of a model
  absl::Duration window;     // of the static batches
  std::vector<SimFailure> failures;
  uint64_t seed = 1;
};

// One image on a device.
struct SimRun {
  struct SimJob* job = nullptr;
  int device = 0;
  int steps_left = 0;
  int waited = 0;
  absl::Time ready;  // its model is in memory from then on
  bool fresh = true;
};

// What became of a request.
struct SimJob {
  enum class End { kNone, kDone, kRefused, kExpired, kCancelled };

  SimRequest request;
  absl::Duration solo;
  absl::Time due;  // what goodput goes by
  absl::Time cancel = absl::InfiniteFuture();
  End end = End::kNone;
  std::string reason;                       // of a refusal
  std::optional<absl::Duration> predicted;  // time in all, at arrival
  absl::Time first_step = absl::InfiniteFuture();
  absl::Time finish = absl::InfiniteFuture();
  int images_left = 0;
  int attempts = 0;
};

// One device between two evaluations.
struct SimDevice {
  int index = 0;
  std::vector<std::unique_ptr<SimRun>> live;  // in order of arrival
  std::vector<Resident> residents;
  std::map<std::string, absl::Time> ready_at;  // of residents: when loaded
  std::vector<SimRun*> running;                // in the evaluation under way
  absl::Time down_until = absl::InfinitePast();
  int64_t generation = 0;  // of scheduled events: older ones are void
  double busy_seconds = 0;
};

// A way to schedule: what the simulator asks at each event. Not thread-safe.
class SimPolicy {
 public:
  virtual ~SimPolicy() = default;

  // A request arrived: queues it, or says why not and predicts its time.
  virtual absl::Status Offer(SimJob& job, absl::Time now) = 0;
  // The job leaves the line, if it is there.
  virtual void Withdraw(SimJob& job) = 0;
  // The jobs that `device`, which is up and between evaluations, takes now.
  virtual std::vector<SimJob*> Take(const SimDevice& device,
                                    absl::Time now) = 0;
  // The runs of the next evaluation, of one model and size; none to wait.
  virtual std::vector<SimRun*> Pick(SimDevice& device, absl::Time now) = 0;
  // When a device without work should look again; InfiniteFuture: at the next
  // arrival.
  virtual absl::Time LookAgain(absl::Time now) const = 0;

  // Hooks for what the policy predicts with.
  virtual void Advanced(const SimRun& run) {}
  virtual void Evaluated(const SimRun& run, int rows, absl::Duration took) {}
  virtual void Ended(const SimJob& job, absl::Time now) {}
};

std::unique_ptr<SimPolicy> MakeGenzoPolicy(const SimOptions& options);
// One request at a time; request-level batches of equal size, steps and
// guidance with a window; steps shared in order of arrival.
std::unique_ptr<SimPolicy> MakeFifoPolicy(const SimOptions& options);
std::unique_ptr<SimPolicy> MakeStaticBatchPolicy(const SimOptions& options);
std::unique_ptr<SimPolicy> MakeStepFifoPolicy(const SimOptions& options);

// What happened.
struct SimResult {
  std::vector<std::unique_ptr<SimJob>> jobs;
  absl::Duration elapsed;  // first arrival to last end
  double busy_share = 0;   // of device time, over all devices
  int64_t evaluations = 0;
  int64_t model_loads = 0;
  int longest_wait = 0;  // evaluations that a run was passed over
  int most_live = 0;     // runs on one device
};

// Runs `requests` to their ends under a virtual clock. Deterministic.
SimResult Simulate(const std::vector<SimRequest>& requests,
                   const SimOptions& options, SimPolicy& policy);

}  // namespace genzo

#endif  // GENZO_TOOLS_SIM_SIMULATION_H_
