#ifndef GENZO_WORKER_ENGINE_ENGINE_H_
#define GENZO_WORKER_ENGINE_ENGINE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "queue/job_queue.h"
#include "worker/engine/batcher.h"
#include "worker/engine/decode_stage.h"
#include "worker/engine/diffusion_model.h"
#include "worker/engine/job_state.h"
#include "worker/engine/run.h"

namespace genzo {

// What an engine works with; all outlive it.
struct EngineDependencies {
  JobQueue& queue;
  ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
};

// One device's worker: loads the configured models, then takes jobs from the
// queue and paints them, sharing denoiser evaluations between all runs of one
// shape. Runs join and leave at every step. One thread, the one that calls
// Work(), owns the device; pictures are decoded on another.
class Engine {
 public:
  Engine(const Config& config, const Placement& placement,
         const EngineDependencies& dependencies);
  ~Engine();

  // Loads models (a model that fails is reported in the catalog, the others go
  // on), calls `on_loaded`, then works until the queue is closed and empty.
  void Work(const std::function<void()>& on_loaded);

  // Leaves out models that are not loaded yet, and `on_loaded`. Any thread may
  // call it; close the queue too to make Work() return.
  void Stop();

 private:
  // One image being painted.
  struct LiveRun {
    Run run;
    std::shared_ptr<JobState> job;
    int image_index = 0;
    uint64_t seed = 0;
    absl::Time last_step;
    absl::Duration mean_step;
  };

  void LoadModels();
  // The five parts of the step loop.
  bool Admit();  // false once there will be no more work
  std::vector<LiveRun*> Pick();
  absl::StatusOr<std::vector<at::Tensor>> EvaluateRuns(
      const std::vector<LiveRun*>& picked);
  void Advance(const std::vector<LiveRun*>& picked,
               const std::vector<at::Tensor>& predictions);
  void Publish(LiveRun& live);

  void DropUnwanted();
  bool HasRoom() const;
  void Start(std::unique_ptr<JobLease> lease);
  absl::Status StartRuns(const std::shared_ptr<JobState>& job);
  absl::Status FailPicked(const std::vector<LiveRun*>& picked,
                          const absl::Status& status);

  const Config config_;
  const Placement placement_;
  const EngineDependencies dependencies_;
  const Batcher batcher_;
  std::atomic<bool> stopping_{false};
  std::map<std::string, std::unique_ptr<const DiffusionModel>> models_;
  std::unique_ptr<DecodeStage> decode_stage_;
  std::vector<std::unique_ptr<LiveRun>> live_;  // in order of arrival
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_ENGINE_H_
