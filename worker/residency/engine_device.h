#ifndef GENZO_WORKER_RESIDENCY_ENGINE_DEVICE_H_
#define GENZO_WORKER_RESIDENCY_ENGINE_DEVICE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/model_catalog.h"
#include "base/tracing.h"
#include "base/upscaler_catalog.h"
#include "queue/job_queue.h"
#include "queue/pool_load.h"
#include "worker/residency/lora_library.h"
#include "worker/residency/model_source.h"

namespace genzo {

class EmbeddingFolders;
class LatentStore;

// What an engine works with; all outlive it.
struct EngineDependencies {
  JobQueue& queue;
  PoolLoad& load;
  ModelCatalog& catalog;
  Metrics& metrics;
  const Clock& clock;
  // Where models come from.
  std::function<ModelSource(const Placement& placement)> models = FolderSource;
  // Words that prompts may use, and latents for later requests; null: none.
  const EmbeddingFolders* embeddings = nullptr;
  LatentStore* latents = nullptr;
  // Where adapters come from; null: there are none.
  LoraLibrary* loras = nullptr;
  // A device was taken out because it fails everything, or came back.
  std::function<void(bool usable)> on_health = nullptr;
  Tracer* tracer = nullptr;
  // How long the process's threads have waited for a core so far
  // (worker/device/core_wait.h); null: nobody counts it.
  std::function<absl::Duration()> core_wait = nullptr;
  // Pictures that are to be enlarged, and with what; null: none, and filters.
  JobQueue* upscaling = nullptr;
  UpscalerCatalog* upscalers = nullptr;
};

// One of the pool's devices.
struct EngineDevice {
  int index = 0;  // in the pool
  Placement placement;
  int threads = 1;            // of an evaluation on the CPU
  int64_t memory_bytes = 0;   // budget of models and what stands beside them
  int64_t adapter_bytes = 0;  // most of it that adapters take

  // What figures call it: "cuda:0", "cpu:1".
  std::string name() const {
    return placement.device.is_cpu() ? "cpu:" + std::to_string(index)
                                     : placement.device.str();
  }
};

}  // namespace genzo

#endif  // GENZO_WORKER_RESIDENCY_ENGINE_DEVICE_H_
