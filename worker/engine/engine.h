#ifndef GENZO_WORKER_ENGINE_ENGINE_H_
#define GENZO_WORKER_ENGINE_ENGINE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "base/config.h"
#include "queue/job_queue.h"
#include "worker/device/device_health.h"
#include "worker/engine/batch_evaluator.h"
#include "worker/engine/batch_picker.h"
#include "worker/engine/decode_stage.h"
#include "worker/engine/encode_stage.h"
#include "worker/engine/intake.h"
#include "worker/engine/live_runs.h"
#include "worker/engine/picture_finisher.h"
#include "worker/engine/publisher.h"
#include "worker/engine/step_scheduler.h"
#include "worker/engine/upscale_stage.h"
#include "worker/residency/engine_device.h"
#include "worker/residency/memory_caps.h"
#include "worker/residency/model_introduction.h"

namespace genzo {

// One device's worker: takes jobs from the queue and paints them, sharing
// denoiser evaluations between all runs of one BatchKey. Runs join and leave at
// every step.
//
//            encode stage                       decode stage, picture writer
//   queue -> intake -> Admit -> Pick -> Evaluate -> Advance -> Publish -> queue
//                        ^                                        |
//                        +----------------------------------------+
//
// The thread that calls Work() owns the device and all live runs; texts and
// pictures are encoded on a second, latents decoded on a third, files written
// on a fourth, models loaded on a fifth, pictures enlarged on a sixth.
class Engine {
 public:
  // `encode`: where texts and pictures are encoded.
  Engine(const Config& config, const EngineDevice& device,
         const EngineDependencies& dependencies,
         EncodeStage::Where encode = EncodeStage::Where::kOwnThread);
  ~Engine();

  // Loads the configured models (one that fails is reported in the catalog, the
  // others go on), calls `on_loaded`, then works until the queue is closed and
  // empty.
  void Work(const std::function<void()>& on_loaded);

  // Leaves out models that are not loaded yet, and `on_loaded`. Any thread may
  // call it; close the queue too to make Work() return.
  void Stop();

  // One more model, as ModelIntroduction::Add(). Any thread.
  void Add(const ModelConfig& model);
  // One less, as ModelIntroduction::Remove(); and a look for networks beside
  // them, as ModelIntroduction::LookBeside().
  void Remove(const std::string& id);
  void LookBeside() { models_.LookBeside(); }

  // No picture takes steps. Any thread.
  bool idle() const { return idle_; }

  // Thread-safe.
  ModelLoader& models() { return models_.loader(); }
  PictureJudges& judges() { return judges_; }

 private:
  // The five parts of the step loop.
  bool Admit();  // false once there will be no more work
  Batch Pick() { return picker_.Pick(live_->all()); }
  Predictions Evaluate(const Batch& batch);
  void Advance(const Predictions& predictions, Batch& batch) {
    live_->Advance(predictions, batch);
  }
  void Publish(const Batch& batch);

  void MakeStages();
  DecodeStage::Options DecodeOptions();
  UpscaleStage::Options UpscaleOptions();
  // Whether what failed on a stage's thread is no fault of the device's. Any
  // thread.
  bool DeviceWorks() const;
  // Has the step loop probe the device. Any thread.
  void Suspect();
  // Until the device computes again or Stop().
  void SitOut();

  const Config config_;
  const EngineDevice device_;
  const EngineDependencies dependencies_;
  const EncodeStage::Where encode_;
  const DeviceMetrics figures_;
  StepScheduler scheduler_;
  std::atomic<bool> stopping_{false};
  absl::Notification stopped_;
  MemoryCaps memory_caps_;
  DeviceHealth health_;
  BatchEvaluator evaluator_;
  std::atomic<bool> suspect_{false};  // to be probed, a stage says
  std::atomic<bool> out_{false};      // SitOut()
  std::atomic<bool> idle_{true};      // no runs: decoding may use all threads
  // Models left memory since the last step, and are to be forgotten.
  std::atomic<bool> forget_models_{false};
  ModelIntroduction models_;
  BatchPicker picker_;
  AdapterStore adapters_;  // may hold a model
  PictureJudges judges_;
  const PictureFinisher finisher_{judges_};
  std::unique_ptr<EncodeStage> encode_stage_;
  std::unique_ptr<DecodeStage> decode_stage_;
  std::unique_ptr<UpscaleStage> upscale_stage_;
  std::unique_ptr<LiveRuns> live_;
  std::unique_ptr<Intake> intake_;
  std::unique_ptr<Publisher> publisher_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_ENGINE_H_
