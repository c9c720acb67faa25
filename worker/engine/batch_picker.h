#ifndef GENZO_WORKER_ENGINE_BATCH_PICKER_H_
#define GENZO_WORKER_ENGINE_BATCH_PICKER_H_

#include <memory>

#include "absl/types/span.h"
#include "base/config.h"
#include "worker/engine/live_run.h"
#include "worker/engine/step_scheduler.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/memory_caps.h"
#include "worker/residency/model_introduction.h"

namespace genzo {

// Which runs take their next step together: tells the scheduler what it goes
// by, and makes a batch of what it says. For the engine's thread alone.
class BatchPicker {
 public:
  // All outlive it.
  BatchPicker(const Config& config, const EngineDevice& device,
              const EngineDependencies& dependencies,
              const ModelIntroduction& models, const MemoryCaps& memory_caps,
              StepScheduler& scheduler)
      : config_(config),
        device_(device),
        dependencies_(dependencies),
        models_(models),
        memory_caps_(memory_caps),
        scheduler_(scheduler) {}

  // Empty only if `live` is. Counts for the others that they waited.
  Batch Pick(absl::Span<const std::unique_ptr<LiveRun>> live);

 private:
  Candidates CandidatesOf(
      absl::Span<const std::unique_ptr<LiveRun>> live) const;
  // `reproducible`: of a shape that a reproducible run has.
  ShapeLimits LimitsOf(const LiveRun& live, bool reproducible) const;

  const Config& config_;
  const EngineDevice& device_;
  const EngineDependencies& dependencies_;
  const ModelIntroduction& models_;
  const MemoryCaps& memory_caps_;
  StepScheduler& scheduler_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_BATCH_PICKER_H_
