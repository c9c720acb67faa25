#ifndef GENZO_WORKER_ENGINE_ENGINE_H_
#define GENZO_WORKER_ENGINE_ENGINE_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/config.h"
#include "queue/job_queue.h"
#include "worker/denoiser/context_gatherer.h"
#include "worker/engine/batcher.h"
#include "worker/engine/candidate_list.h"
#include "worker/engine/decode_stage.h"
#include "worker/engine/job_state.h"
#include "worker/engine/run.h"
#include "worker/pipeline/text_cache.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/model_introduction.h"

namespace genzo {

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
  ModelPool& models() { return models_.pool(); }

 private:
  // One image being painted.
  struct LiveRun {
    Run run;
    std::shared_ptr<JobState> job;
    int image_index = 0;
    uint64_t seed = 0;
    absl::Time start_by;
    bool canonical = false;  // always among as many rows, for the sake of bits
    int waited = 0;          // evaluations since it last ran or joined
  };
  // What the runs of a pick have in common.
  struct Batch {
    std::vector<LiveRun*> runs;
    int rows = 0;
    int evaluated_rows = 0;  // with those that only fill the number up
    const JobState& job() const { return *runs[0]->job; }
  };

  // The five parts of the step loop.
  bool Admit();  // false once there will be no more work
  Batch Pick();
  absl::StatusOr<std::vector<at::Tensor>> EvaluateRuns(const Batch& batch);
  void Advance(const Batch& batch, const std::vector<at::Tensor>& predictions);
  void Publish(const Batch& batch);

  void DropUnwanted();
  using Leases = std::vector<std::unique_ptr<JobLease>>;

  // Images that are live, or will be once those `taken` have started.
  TenantCounts LiveBy(const Leases& taken) const;
  TakeRules RulesFor(const TenantCounts& live) const;
  std::unique_ptr<JobLease> TakeJob(const Leases& taken);
  // Counts the job, if there is one, as this device's from now on.
  std::unique_ptr<JobLease> Claim(std::unique_ptr<JobLease> lease);
  void Start(Leases leases);
  // Starts jobs of one model.
  void StartTogether(const std::vector<std::shared_ptr<JobState>>& jobs);
  absl::Status StartRuns(const std::shared_ptr<JobState>& job,
                         const std::shared_ptr<const TextContext>& context);
  std::vector<std::shared_ptr<const TextContext>> EncodeTexts(
      const std::vector<std::shared_ptr<JobState>>& jobs);
  ShapeLimits LimitsOf(const LiveRun& live) const;
  void OutOfMemory(const Batch& batch, const absl::Status& status);
  void FailBatch(const Batch& batch, const absl::Status& status);

  const Config config_;
  const EngineDevice device_;
  const EngineDependencies dependencies_;
  const Batcher batcher_;
  std::atomic<bool> stopping_{false};
  std::map<std::pair<std::string, int64_t>, int> memory_caps_;  // rows, by
                                                                // model, pixels
  CandidateList<ShapeKey> candidates_;
  FairShares shares_;
  ContextGatherer gatherer_;
  TextCache texts_;
  std::atomic<bool> idle_{true};  // no runs: decoding may use all threads
  // Models that left memory since the last step, and are to be forgotten.
  std::atomic<bool> forget_texts_{false};
  std::vector<std::unique_ptr<LiveRun>> live_;  // in order of arrival
  Leases parked_;                               // until their model is here
  DeviceModels models_;
  std::unique_ptr<DecodeStage> decode_stage_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_ENGINE_H_
