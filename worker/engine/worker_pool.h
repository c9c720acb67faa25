#ifndef GENZO_WORKER_ENGINE_WORKER_POOL_H_
#define GENZO_WORKER_ENGINE_WORKER_POOL_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/work_thread.h"
#include "queue/model_control.h"
#include "queue/picture_scoring.h"
#include "worker/device/free_memory.h"
#include "worker/device/memory_figures.h"
#include "worker/engine/engine.h"
#include "worker/engine/latent_store.h"
#include "worker/engine/scoring_stage.h"
#include "worker/text/embedding_folders.h"
#include "worker/upscale/upscaler_folders.h"

namespace genzo {

// All devices of a process: one engine and one step thread each. Thread-safe.
class WorkerPool : public ModelControl, public PictureScoring {
 public:
  // UNAVAILABLE or INVALID_ARGUMENT if a configured device or type cannot be
  // had. What `dependencies` name outlives the pool.
  static absl::StatusOr<std::unique_ptr<WorkerPool>> Create(
      const Config& config, const EngineDependencies& dependencies);
  // Whether a pool could be made and, as far as the heads of their files tell,
  // have the configured models; else what is wrong with the first that could
  // not. Reads the disk.
  static absl::Status Check(const Config& config);
  // Waits for the threads: close the queue and Stop() before.
  ~WorkerPool() override;

  // Starts the threads. `on_loaded` is called once every device has loaded its
  // models, `on_done` once all have ended; both on a thread of the pool's.
  // `on_devices_left` hears how many devices still work whenever one is taken
  // out or comes back, on that device's thread.
  void Start(const std::function<void()>& on_loaded,
             const std::function<void()>& on_done,
             const std::function<void(int devices)>& on_devices_left = nullptr);

  // Leaves out models that are not loaded yet, but for those that a job waits
  // for; the threads end when the queue is closed and empty.
  void Stop();

  // One more model for every device, or other files of one that they have. It
  // appears in the catalog, loaded or with what is wrong with it.
  void Add(const ModelConfig& model);

  // No such model any more.
  void Remove(const std::string& id);

  void Load(const std::string& id, std::optional<bool> pinned,
            ModelControl::Done done) override;
  void Unload(const std::string& id, ModelControl::Done done) override;

  // Looks for upscalers and networks that are new or gone; so the pool does
  // every few seconds once it was started. For one thread at a time.
  void LookBeside();

  // On the first device.
  void Score(v1::ScoreRequest request, PictureScoring::Done done) override;

  // Latents that requests left here; as long as the pool.
  const StartLatents* latents() const { return latents_.get(); }

  // What figures call them: "cuda:0", "cuda:1".
  std::vector<std::string> DeviceNames() const;
  // "cpu, bfloat16", one a device.
  std::string Description() const;
  // The version of LibTorch, "2.11.0".
  static std::string LibTorchVersion();
  // The version of the CUDA runtime that LibTorch has, "12.8"; "none".
  static std::string CudaVersion();

 private:
  static constexpr int kIdleLooks = 12;  // a minute

  WorkerPool() = default;

  void DeviceHealthChanged(bool usable) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Mutex mutex_;
  int devices_left_ ABSL_GUARDED_BY(mutex_) = 0;
  std::function<void(int)> on_devices_left_ ABSL_GUARDED_BY(mutex_);
  std::vector<EngineDevice> devices_;
  std::unique_ptr<EmbeddingFolders> embeddings_;
  std::unique_ptr<LatentStore> latents_;
  std::unique_ptr<LoraLibrary> loras_;  // null: no folders
  std::shared_ptr<DeviceMemoryFigures> memory_;
  std::unique_ptr<UpscalerFolders> upscalers_;  // null: nobody enlarges
  std::vector<std::unique_ptr<Engine>> engines_;
  std::unique_ptr<ScoringStage> scoring_;  // before the engines goes
  std::vector<std::thread> threads_;
  HeapRest heap_rest_{kIdleLooks};
  // Into folders beside the models', and at who works.
  std::unique_ptr<WorkThread> looks_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_WORKER_POOL_H_
