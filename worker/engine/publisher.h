#ifndef GENZO_WORKER_ENGINE_PUBLISHER_H_
#define GENZO_WORKER_ENGINE_PUBLISHER_H_

#include "base/clock.h"
#include "queue/pool_load.h"
#include "worker/engine/decode_stage.h"
#include "worker/engine/latent_store.h"
#include "worker/engine/live_run.h"

namespace genzo {

// Tells readers what a batch did: progress with the time that is left, and to
// the decode stage latents that are due to be seen. For the engine's thread
// alone.
class Publisher {
 public:
  // All outlive the publisher. `latents` may be null.
  Publisher(const Clock& clock, PoolLoad& load, DecodeStage& decode_stage,
            LatentStore* latents = nullptr)
      : clock_(clock),
        load_(load),
        decode_stage_(decode_stage),
        latents_(latents) {}

  // `live_runs` are all there are, those of the batch included.
  void Publish(const Batch& batch, size_t live_runs);

 private:
  void Show(const LiveRun& live, bool busy, absl::Time now);
  // What the finished run ended at, where a later request may want it.
  void KeepLatent(const LiveRun& live);

  const Clock& clock_;
  PoolLoad& load_;
  DecodeStage& decode_stage_;
  LatentStore* const latents_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_PUBLISHER_H_
