#ifndef GENZO_WORKER_ENGINE_LIVE_RUNS_H_
#define GENZO_WORKER_ENGINE_LIVE_RUNS_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "queue/job_queue.h"
#include "worker/engine/batch_evaluator.h"
#include "worker/engine/encode_stage.h"
#include "worker/engine/live_run.h"
#include "worker/engine/run_carrier.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/model_introduction.h"

namespace genzo {

// The images that a device paints: how they begin, take their steps, go through
// the upscale stage from one of their stages to the next, and end.
//
//   EncodedJob -> Start -> Advance ... -> EndFinished
//                            ^ |
//               TakeArrived -+ +-> upscale stage
//
// For the engine's thread alone.
class LiveRuns {
 public:
  // All outlive it.
  // `idle` is told whether no picture takes steps.
  LiveRuns(const EngineDependencies& dependencies,
           const ModelIntroduction& models, UpscaleStage& upscale_stage,
           std::atomic<bool>& idle)
      : dependencies_(dependencies),
        models_(models),
        carrier_(upscale_stage),
        idle_(idle) {}

  // In order of arrival; those that the upscale stage has are not among them.
  const std::vector<std::unique_ptr<LiveRun>>& all() const { return live_; }
  TenantCounts ByTenant() const;
  // None are here, and none wait to be taken back.
  bool empty() const { return live_.empty() && carrier_.empty(); }

  // The job's images, unless it could not be encoded, cannot be planned or does
  // not fit: then it has failed. `device_works` is asked where the device may
  // be at fault; if it is, the job stays as it was and goes to another.
  void Start(EncodedJob job, absl::FunctionRef<bool()> device_works);
  // Runs that come back from the upscale stage.
  void TakeArrived();
  // Without those that nobody wants any more.
  void DropUnwanted();
  // To the queue, with where they stand.
  void GiveBack();

  // Gives the runs of a batch what was predicted for them; leaves in the batch
  // those that took a step.
  void Advance(const Predictions& predictions, Batch& batch);
  // Idle from now on, if none takes another step: before they are published, so
  // that the last pictures are decoded with all threads.
  void LookWhetherIdle();
  // Lets go of those that are done, sends on those whose stage is.
  void EndFinished();

 private:
  void Begin(JobState& job, std::vector<std::unique_ptr<LiveRun>> runs,
             int decoded_together);
  // Those whose way to their next stage leads through pixels.
  void CarryHops();

  const EngineDependencies& dependencies_;
  const ModelIntroduction& models_;
  RunCarrier carrier_;
  std::atomic<bool>& idle_;
  std::vector<std::unique_ptr<LiveRun>> live_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_LIVE_RUNS_H_
