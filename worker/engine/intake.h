#ifndef GENZO_WORKER_ENGINE_INTAKE_H_
#define GENZO_WORKER_ENGINE_INTAKE_H_

#include <memory>
#include <optional>
#include <vector>

#include "base/config.h"
#include "queue/job_queue.h"
#include "worker/engine/encode_stage.h"
#include "worker/engine/job_state.h"
#include "worker/engine/step_scheduler.h"
#include "worker/engine/upscale_stage.h"
#include "worker/residency/adapter_store.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/model_introduction.h"

namespace genzo {

// A device's way from the queue to jobs that can be painted: leases a job when
// there is room for it, puts it aside until its model is in memory, has its
// texts and pictures encoded. For the engine's thread alone.
//
//   queue --lease--> parked --model--> encode stage --> Next()
class Intake {
 public:
  // All outlive the intake.
  Intake(const Config& config, const EngineDevice& device,
         const EngineDependencies& dependencies, ModelIntroduction& models,
         AdapterStore& adapters, StepScheduler& scheduler,
         EncodeStage& encode_stage, UpscaleStage& upscale_stage);

  // Jobs that were encoded since the last call, or could not be. `live` are the
  // images being painted: without any it waits until there is something to do,
  // which may be another thing than a job.
  std::vector<EncodedJob> Next(const TenantCounts& live);

  // Ends parked jobs that nobody wants any more or whose time has passed.
  void DropUnwanted();

  // Lets go of all jobs that it has: the queue hands them out again.
  void GiveBack();

  // Whether no job will come any more.
  bool Done() const;

 private:
  // A job that waits for its model and its adapters.
  struct Parked {
    std::unique_ptr<JobLease> lease;
    JobDemand demand;
  };

  // Of this device: live, or with the encode or upscale stage.
  TenantCounts Images(const TenantCounts& live) const;
  // Null if there is no room.
  std::optional<TakeRules> RulesFor(const TenantCounts& images) const;
  // Takes what there is room for.
  void TakeWaiting(const TenantCounts& live);
  void Wait(const TenantCounts& live);
  // Counts the job, if there is one, as this device's from now on.
  void Claim(std::unique_ptr<JobLease> lease);
  // Passes on what has its model and adapters, asks for those of the others.
  void StartParked();
  // False while its model or its adapters are missing.
  bool Start(Parked& parked);
  // Ends a parked job, and whatever was ordered for it.
  void Refuse(const Parked& parked, const absl::Status& why);

  const Config& config_;
  const EngineDevice& device_;
  const EngineDependencies& dependencies_;
  ModelIntroduction& models_;
  AdapterStore& adapters_;
  StepScheduler& scheduler_;
  EncodeStage& encode_stage_;
  UpscaleStage& upscale_stage_;
  std::vector<Parked> parked_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_INTAKE_H_
