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
#include "queue/load_board.h"
#include "worker/engine/batcher.h"
#include "worker/engine/context_gatherer.h"
#include "worker/engine/decode_stage.h"
#include "worker/engine/diffusion_model.h"
#include "worker/engine/job_state.h"
#include "worker/engine/model_pool.h"
#include "worker/engine/run.h"
#include "worker/engine/step_profile.h"
#include "worker/engine/text_cache.h"

namespace genzo {

// What an engine works with; all outlive it.
struct EngineDependencies {
  JobQueue& queue;
  LoadBoard& board;
  ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
};

// One of the pool's devices.
struct EngineDevice {
  int index = 0;  // in the pool
  Placement placement;
  int threads = 1;           // of an evaluation on the CPU
  int64_t memory_bytes = 0;  // budget of its models
};

// One device's worker: takes jobs from the queue and paints them, sharing
// denoiser evaluations between all runs of one shape. Runs join and leave at
// every step. One thread, the one that calls Work(), owns the device; pictures
// are decoded on another, models are loaded on a third.
class Engine {
 public:
  Engine(const Config& config, const EngineDevice& device,
         const EngineDependencies& dependencies);
  ~Engine();

  // Loads the configured models (one that fails is reported in the catalog, the
  // others go on), calls `on_loaded`, then works until the queue is closed and
  // empty.
  void Work(const std::function<void()>& on_loaded);

  // Leaves out models that are not loaded yet, and `on_loaded`. Any thread may
  // call it; close the queue too to make Work() return.
  void Stop();

  // Thread-safe.
  ModelPool& models() { return *pool_; }

 private:
  // One image being painted.
  struct LiveRun {
    Run run;
    std::shared_ptr<JobState> job;
    int image_index = 0;
    uint64_t seed = 0;
    absl::Time start_by;
    int waited = 0;  // evaluations since it last ran or joined
  };
  // What the runs of a pick have in common.
  struct Batch {
    std::vector<LiveRun*> runs;
    int rows = 0;
    const JobState& job() const { return *runs[0]->job; }
  };

  // The five parts of the step loop.
  bool Admit();  // false once there will be no more work
  Batch Pick();
  absl::StatusOr<std::vector<at::Tensor>> EvaluateRuns(const Batch& batch);
  void Advance(const Batch& batch, const std::vector<at::Tensor>& predictions);
  void Publish(const Batch& batch);

  void LoadModels();
  void AdoptLoadedModels();
  absl::StatusOr<StepProfile> Profile(const ModelPool::Loaded& loaded);
  void Describe(const std::string& id, v1::Model::State state);
  void DropUnwanted();
  TakeRules RulesNow() const;
  std::unique_ptr<JobLease> TakeJob();
  void Start(std::vector<std::unique_ptr<JobLease>> leases);
  absl::Status StartRuns(const std::shared_ptr<JobState>& job,
                         const std::shared_ptr<const TextContext>& context);
  std::vector<std::shared_ptr<const TextContext>> EncodeTexts(
      const std::vector<std::shared_ptr<JobState>>& jobs);
  int RowCap(const LiveRun& live) const;
  void OutOfMemory(const Batch& batch, const absl::Status& status);
  void FailBatch(const Batch& batch, const absl::Status& status);

  const Config config_;
  const EngineDevice device_;
  const EngineDependencies dependencies_;
  const Batcher batcher_;
  const ProfileStore profiles_;
  std::atomic<bool> stopping_{false};
  std::map<std::string, v1::Model> descriptions_;  // of models seen so far
  std::map<std::pair<std::string, int64_t>, int> memory_caps_;  // rows, by
                                                                // model, pixels
  FairShares shares_;
  ContextGatherer gatherer_;
  TextCache texts_;
  // Models that left memory since the last step, and are to be forgotten.
  std::atomic<bool> forget_texts_{false};
  std::vector<std::unique_ptr<LiveRun>> live_;     // in order of arrival
  std::vector<std::unique_ptr<JobLease>> parked_;  // until their model is here
  std::unique_ptr<ModelPool> pool_;
  std::unique_ptr<DecodeStage> decode_stage_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_ENGINE_H_
