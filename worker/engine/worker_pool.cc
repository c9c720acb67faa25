#include "worker/engine/worker_pool.h"

#include <algorithm>
#include <atomic>

#include "ATen/detail/CUDAHooksInterface.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "base/errors.h"
#include "torch/headeronly/version.h"
#include "worker/device/device_names.h"
#include "worker/device/thread_count.h"
#include "worker/engine/device_answers.h"
#include "worker/threads/available_cores.h"

namespace genzo {
namespace {

// How often folders of adapters, networks and upscalers are looked into.
constexpr absl::Duration kFoldersLook = absl::Seconds(5);

int64_t BudgetBytes(const Config& config, const c10::Device& device,
                    int sharing) {
  if (config.memory_budget_mb > 0) {
    return int64_t{config.memory_budget_mb} * 1'000'000;
  }
  return DeviceMemoryBytes(device) / 10 * 8 / sharing;
}

absl::StatusOr<std::vector<EngineDevice>> DevicesOf(const Config& config) {
  const auto devices = ResolveDevices(config.devices);
  if (!devices.ok()) return devices.status();
  const auto cpus = static_cast<int>(
      std::count_if(devices->begin(), devices->end(),
                    [](const c10::Device& device) { return device.is_cpu(); }));
  const int threads = config.threads > 0 ? config.threads : DefaultThreads();
  std::vector<EngineDevice> made;
  for (const c10::Device& device : *devices) {
    const auto dtype = ParseDtype(config.dtype, device);
    if (!dtype.ok()) return dtype.status();
    const int sharing = device.is_cpu() ? cpus : 1;
    // Beside another device the CPU has little to compute.
    const int own_threads =
        device.is_cpu() ? std::max(1, threads / sharing) : 1;
    made.push_back({.index = static_cast<int>(made.size()),
                    .placement = {.device = device, .dtype = *dtype},
                    .threads = own_threads,
                    .memory_bytes = BudgetBytes(config, device, sharing)});
    if (config.loras.empty()) continue;
    // Models keep most of what there is.
    EngineDevice& own = made.back();
    own.adapter_bytes = std::min(int64_t{config.lora_budget_mb} * 1'000'000,
                                 own.memory_bytes / 4);
  }
  return made;
}

}  // namespace

absl::Status WorkerPool::Check(const Config& config) {
  const auto devices = DevicesOf(config);
  if (!devices.ok()) return devices.status();
  for (const ModelConfig& model : config.models) {
    const auto bytes =
        FolderSource(devices->front().placement).bytes(model.files());
    if (bytes.ok()) continue;
    return absl::Status(
        bytes.status().code(),
        absl::StrCat("model ", model.id, ": ", bytes.status().message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WorkerPool>> WorkerPool::Create(
    const Config& config, const EngineDependencies& dependencies) {
  auto devices = DevicesOf(config);
  if (!devices.ok()) return devices.status();
  std::unique_ptr<WorkerPool> pool(new WorkerPool());
  pool->devices_ = *std::move(devices);
  if (dependencies.upscalers != nullptr) {
    pool->upscalers_ = std::make_unique<UpscalerFolders>(
        config.upscalers, *dependencies.upscalers);
  }
  dependencies.load.backlog().SetDevices(
      static_cast<int>(pool->devices_.size()));
  pool->embeddings_ = std::make_unique<EmbeddingFolders>(config.embeddings);
  pool->latents_ = std::make_unique<LatentStore>(
      config.kept_latents.bytes, config.kept_latents.tenant_bytes);
  std::vector<std::pair<c10::Device, std::string>> names;
  for (const EngineDevice& device : pool->devices_) {
    names.emplace_back(device.placement.device, device.name());
  }
  pool->memory_ = std::make_shared<DeviceMemoryFigures>(std::move(names));
  dependencies.metrics.Add(pool->memory_);
  EngineDependencies own = dependencies;
  own.embeddings = pool->embeddings_.get();
  own.latents = pool->latents_.get();
  own.on_health = [pool = pool.get()](bool usable) {
    pool->DeviceHealthChanged(usable);
  };
  if (!config.loras.empty()) {
    pool->loras_ = std::make_unique<LoraLibrary>(
        config.loras, dependencies.catalog.loras(), kFoldersLook);
    own.loras = pool->loras_.get();
  }
  for (const EngineDevice& device : pool->devices_) {
    pool->engines_.push_back(std::make_unique<Engine>(config, device, own));
  }
  pool->scoring_ = std::make_unique<ScoringStage>(pool->engines_[0]->judges());
  return pool;
}

void WorkerPool::LookBeside() {
  if (upscalers_ != nullptr) upscalers_->Look();
  embeddings_->Look();
  for (const auto& engine : engines_) engine->LookBeside();
}

WorkerPool::~WorkerPool() {
  looks_.reset();
  for (std::thread& thread : threads_) thread.join();
}

void WorkerPool::Start(const std::function<void()>& on_loaded,
                       const std::function<void()>& on_done,
                       const std::function<void(int)>& on_devices_left) {
  {
    absl::MutexLock lock(&mutex_);
    devices_left_ = static_cast<int>(devices_.size());
    on_devices_left_ = on_devices_left;
  }
  const auto idle = [](const auto& engine) { return engine->idle(); };
  looks_ = std::make_unique<WorkThread>(
      /*tick=*/
      [this, idle] {
        LookBeside();
        heap_rest_.Look(std::all_of(engines_.begin(), engines_.end(), idle));
      },
      kFoldersLook);
  const auto loading = std::make_shared<std::atomic<size_t>>(engines_.size());
  const auto working = std::make_shared<std::atomic<size_t>>(engines_.size());
  for (const auto& engine : engines_) {
    threads_.emplace_back(
        [&engine = *engine, loading, working, on_loaded, on_done] {
          engine.Work([&] {
            if (--*loading == 0) on_loaded();
          });
          if (--*working == 0) on_done();
        });
  }
}

void WorkerPool::DeviceHealthChanged(bool usable) {
  absl::MutexLock lock(&mutex_);
  devices_left_ += usable ? 1 : -1;
  if (on_devices_left_) on_devices_left_(devices_left_);
}

void WorkerPool::Stop() {
  for (const auto& engine : engines_) engine->Stop();
}

void WorkerPool::Add(const ModelConfig& model) {
  for (const auto& engine : engines_) engine->Add(model);
}

void WorkerPool::Remove(const std::string& id) {
  for (const auto& engine : engines_) engine->Remove(id);
}

void WorkerPool::Score(v1::ScoreRequest request, PictureScoring::Done done) {
  scoring_->Score(std::move(request), std::move(done));
}

void WorkerPool::Load(const std::string& id, std::optional<bool> pinned,
                      ModelControl::Done done) {
  const auto answers =
      std::make_shared<DeviceAnswers>(engines_.size(), std::move(done));
  for (const auto& engine : engines_) {
    engine->models().Load(id, pinned, [answers](const absl::Status& status) {
      answers->Tell(status);
    });
  }
}

void WorkerPool::Unload(const std::string& id, ModelControl::Done done) {
  const auto answers =
      std::make_shared<DeviceAnswers>(engines_.size(), std::move(done));
  for (const auto& engine : engines_) {
    engine->models().Unload(
        id, [answers](const absl::Status& status) { answers->Tell(status); });
  }
}

std::string WorkerPool::LibTorchVersion() { return TORCH_VERSION; }

std::string WorkerPool::CudaVersion() {
  const at::CUDAHooksInterface& hooks = at::detail::getCUDAHooks();
  if (!hooks.hasCUDART()) return "none";
  const long version = hooks.versionCUDART();  // 12080
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

std::vector<std::string> WorkerPool::DeviceNames() const {
  std::vector<std::string> names;
  for (const EngineDevice& device : devices_) names.push_back(device.name());
  return names;
}

std::string WorkerPool::Description() const {
  std::vector<std::string> parts;
  for (const EngineDevice& device : devices_) {
    parts.push_back(absl::StrCat(device.placement.device.str(), " ",
                                 DtypeName(device.placement.dtype)));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace genzo
