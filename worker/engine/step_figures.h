#ifndef GENZO_WORKER_ENGINE_STEP_FIGURES_H_
#define GENZO_WORKER_ENGINE_STEP_FIGURES_H_

#include "absl/time/time.h"
#include "base/metrics.h"
#include "worker/engine/live_run.h"
#include "worker/residency/engine_device.h"

namespace genzo {

// What a device's evaluations were, for those who watch: the figures of its
// models and its own, and a span for each evaluation. Of the step loop.
class StepFigures {
 public:
  // Both outlive it.
  StepFigures(const EngineDevice& device,
              const EngineDependencies& dependencies);

  // `batch` was evaluated. The time since the evaluation
  // before counts as the step's overhead, unless Rest() came between.
  void Observe(const Batch& batch, absl::Time begin, absl::Time end);
  // Nothing is live.
  void Rest() { evaluated_ = absl::InfiniteFuture(); }

 private:
  void RecordStep(const Batch& batch, absl::Time begin, absl::Time end);

  const EngineDevice& device_;
  const EngineDependencies& dependencies_;
  const DeviceMetrics figures_;
  // When the last evaluation ended; InfiniteFuture once nothing was live.
  absl::Time evaluated_ = absl::InfiniteFuture();
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_STEP_FIGURES_H_
