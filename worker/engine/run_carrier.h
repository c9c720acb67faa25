#ifndef GENZO_WORKER_ENGINE_RUN_CARRIER_H_
#define GENZO_WORKER_ENGINE_RUN_CARRIER_H_

#include <memory>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "worker/engine/live_run.h"
#include "worker/engine/upscale_stage.h"

namespace genzo {

// Carries runs from one stage to the next where the way leads through pixels:
// decodes, enlarges and encodes on the upscale stage's thread, while the step
// loop goes on with others. Decoders and encoders compute on one CPU thread, as
// the next stage's bits depend on theirs. Thread-safe.
class RunCarrier {
 public:
  // `upscale_stage` outlives it, but for its tasks.
  explicit RunCarrier(UpscaleStage& upscale_stage)
      : upscale_stage_(upscale_stage), arrived_(std::make_shared<Arrived>()) {}

  // A run whose hop() is not null. What goes wrong ends its image; on a device
  // that is out of use, its job goes on elsewhere from before the hop.
  void Carry(std::unique_ptr<LiveRun> live);

  // Runs that may go on.
  std::vector<std::unique_ptr<LiveRun>> TakeArrived();
  bool empty() const;

 private:
  struct Arrived {
    absl::Mutex mutex;
    std::vector<std::unique_ptr<LiveRun>> runs ABSL_GUARDED_BY(mutex);
  };

  UpscaleStage& upscale_stage_;
  const std::shared_ptr<Arrived> arrived_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_RUN_CARRIER_H_
