#ifndef GENZO_WORKER_ENGINE_BATCH_EVALUATOR_H_
#define GENZO_WORKER_ENGINE_BATCH_EVALUATOR_H_

#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/device/device_health.h"
#include "worker/engine/live_run.h"
#include "worker/engine/step_figures.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/memory_caps.h"

namespace genzo {

// What became of each run of a batch: nothing, where it is to be tried again.
using Predictions = std::vector<std::optional<absl::StatusOr<at::Tensor>>>;

// Evaluates batches on a device that may fail. One run's fault is not its
// mates': what goes wrong together is tried one by one; what does not fit in
// memory, with fewer rows the next time. For the engine's thread alone.
class BatchEvaluator {
 public:
  // All outlive it. `memory_caps` hear how many rows did not fit, `health`
  // how each evaluation went.
  BatchEvaluator(const EngineDevice& device,
                 const EngineDependencies& dependencies,
                 MemoryCaps& memory_caps, DeviceHealth& health)
      : device_(device),
        dependencies_(dependencies),
        memory_caps_(memory_caps),
        health_(health),
        figures_(device, dependencies) {}

  // One a run. Those of runs that are not at fault are nothing if the device is
  // not usable afterwards. `batch` is not empty.
  Predictions Evaluate(const Batch& batch);

  // Asks the device whether it computes.
  bool Probe();

  // Lets go of what was prepared for rows together.
  void Forget() { joiner_.Clear(); }
  // Nothing is live: the time until the next evaluation is nobody's.
  void Rest() { figures_.Rest(); }

 private:
  absl::StatusOr<std::vector<at::Tensor>> Together(const Batch& batch);
  Predictions EachAlone(const Batch& batch);
  Predictions OutOfMemory(const Batch& batch, const absl::Status& status);

  const EngineDevice& device_;
  const EngineDependencies& dependencies_;
  MemoryCaps& memory_caps_;
  DeviceHealth& health_;
  StepFigures figures_;
  PreparedJoiner joiner_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BATCH_EVALUATOR_H_
