#include "worker/residency/model_loader.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/exception_status.h"
#include "worker/device/free_memory.h"
#include "worker/device/thread_count.h"
#include "worker/text/unicode_text.h"

namespace genzo {
namespace {

constexpr size_t kMaxMessageBytes = 500;

// The one way from a fault in a file to a message: what it quotes of the file
// may be anything, and one model's error must not spoil the list of all.
absl::Status Printable(const absl::Status& status) {
  absl::Status printable(
      status.code(),
      PrintableText(std::string(status.message()), kMaxMessageBytes));
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& payload) {
    printable.SetPayload(url, payload);
  });
  return printable;
}

}  // namespace

using Kind = ModelSlots::Task::Kind;

ModelLoader::ModelLoader(const Config& config, const Placement& placement,
                         int64_t budget_bytes, ModelSource source,
                         const Clock& clock, Metrics& metrics,
                         ModelLoaderListener listener)
    : placement_(placement),
      source_(std::move(source)),
      clock_(clock),
      metrics_(metrics),
      listener_(std::move(listener)),
      slots_(config.models, budget_bytes,
             /*keeps_activations=*/!placement.device.is_cpu()) {
  thread_ = std::thread([this] { Loop(); });
}

ModelLoader::~ModelLoader() {
  Stop();
  thread_.join();
}

template <typename Change>
void ModelLoader::With(const Change& change) {
  ModelSlots::Answers answers;
  {
    absl::MutexLock lock(&mutex_);
    answers = change();
    look_ = true;
  }
  for (const auto& [done, status] : answers) done(status);
}

// --- what others want --------------------------------------------------------

ModelRef ModelLoader::Hold(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  return slots_.Hold(id) ? HeldLocked(id) : nullptr;
}

ModelRef ModelLoader::HeldLocked(const std::string& id) {
  return ModelRef(models_.at(id).model.get(),
                  [this, id](const LoadedModel*) { Release(id); });
}

void ModelLoader::Release(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  slots_.Release(id);
  look_ = true;
}

void ModelLoader::Add(const ModelConfig& model) {
  absl::MutexLock lock(&mutex_);
  slots_.Add(model, /*only_if_room=*/source_.describe != nullptr);
  look_ = true;
}

void ModelLoader::Request(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  slots_.Request(id);
  look_ = true;
}

void ModelLoader::Load(const std::string& id, std::optional<bool> pinned,
                       const ModelControl::Done& done) {
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.Load(id, pinned, done);
  });
  listener_.changed();
}

void ModelLoader::RefuseLoads(const absl::Status& why) {
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.RefuseLoads(why);
  });
}

void ModelLoader::Unload(const std::string& id,
                         const ModelControl::Done& done) {
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.Unload(id, done);
  });
  listener_.changed();
}

void ModelLoader::Remove(const std::string& id) {
  With([&]()
           ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return slots_.Remove(id); });
  listener_.changed();
}

std::vector<ModelLoader::Loaded> ModelLoader::TakeLoaded() {
  absl::MutexLock lock(&mutex_);
  std::vector<Loaded> loaded;
  for (const std::string& id : slots_.TakeNews()) {
    loaded.push_back({id, HeldLocked(id), models_.at(id).files});
  }
  return loaded;
}

std::vector<ModelLoader::Described> ModelLoader::TakeDescribed() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(described_, {});
}

void ModelLoader::Ready(const std::string& id, int64_t activation_bytes) {
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.Ready(id, activation_bytes);
  });
}

void ModelLoader::Reject(const std::string& id, const absl::Status& status) {
  spdlog::error("model {} cannot be used: {}", id,
                std::string(status.message()));
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return slots_.Reject(id, status);
  });
}

void ModelLoader::Stop() {
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return slots_.Stop(); });
}

bool ModelLoader::AwaitChange() {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return news_ || slots_.stopped() || slots_.HasNews() || !slots_.UnderWay();
  };
  mutex_.Await(absl::Condition(&changed));
  news_ = false;
  return slots_.HasNews() || slots_.UnderWay();
}

void ModelLoader::Wake() {
  absl::MutexLock lock(&mutex_);
  news_ = true;
}

bool ModelLoader::Leaving(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.Leaving(id);
}

absl::Status ModelLoader::Failure(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.Failure(id);
}

absl::Status ModelLoader::NewerFailure(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.NewerFailure(id);
}

std::set<std::string> ModelLoader::ReadyIds() const {
  absl::MutexLock lock(&mutex_);
  return slots_.ReadyIds();
}

std::map<std::string, absl::Duration> ModelLoader::MissingLoads() const {
  absl::MutexLock lock(&mutex_);
  const std::set<std::string> ready = slots_.ReadyIds();
  std::map<std::string, absl::Duration> missing;
  for (const auto& load : load_times_) {
    if (ready.count(load.first) == 0) missing.insert(load);
  }
  return missing;
}

bool ModelLoader::Pinned(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.Pinned(id);
}

int64_t ModelLoader::BytesLeft(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.BytesLeft(id);
}

std::vector<IdleBeside> ModelLoader::Idle() const {
  return listener_.idle_beside == nullptr ? std::vector<IdleBeside>()
                                          : listener_.idle_beside();
}

absl::Status ModelLoader::AskBeside(int64_t bytes, const std::string& user,
                                    int64_t& freed) {
  while (true) {
    const std::vector<IdleBeside> idle = Idle();
    ModelSlots::Room room;
    {
      absl::MutexLock lock(&mutex_);
      room = slots_.ReserveBeside(bytes, idle, user);
      freed = freed_;
      look_ = true;
    }
    if (room.uses.empty()) return room.status;
    listener_.drop_beside(room.uses);
  }
}

absl::Status ModelLoader::ReserveBeside(int64_t bytes) {
  while (true) {
    int64_t before = 0;
    const absl::Status reserved = AskBeside(bytes, /*user=*/"", before);
    absl::MutexLock lock(&mutex_);
    if (!absl::IsUnavailable(reserved) || slots_.stopped()) return reserved;
    const auto freed = [this, before]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return freed_ > before || slots_.stopped();
    };
    mutex_.Await(absl::Condition(&freed));
  }
}

absl::Status ModelLoader::TryReserveBeside(int64_t bytes,
                                           const std::string& user) {
  int64_t freed = 0;
  return AskBeside(bytes, user, freed);
}

int64_t ModelLoader::MostBeside(const std::string& user) const {
  absl::MutexLock lock(&mutex_);
  return slots_.MostBeside(user);
}

int64_t ModelLoader::NextUse() {
  absl::MutexLock lock(&mutex_);
  return slots_.NextUse();
}

void ModelLoader::ReleaseBeside(int64_t bytes) {
  absl::MutexLock lock(&mutex_);
  slots_.SetBeside(slots_.beside() - bytes);
  look_ = true;
}

// --- the loading thread ------------------------------------------------------

void ModelLoader::Loop() {
  c10::InferenceMode inference;
  std::optional<DeviceStream> stream;
  std::optional<DeviceStream::Scope> on_stream;
  try {
    on_stream.emplace(stream.emplace(placement_.device, StreamPriority::kLow));
  } catch (const std::exception&) {
    // A broken device: every load will fail and say so.
    spdlog::error(
        "{}", StatusFromException("stream of the loading thread").ToString());
  }
  UseThreads(1);
  while (true) {
    std::optional<ModelSlots::Task> task;
    {
      absl::MutexLock lock(&mutex_);
      const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return look_ || slots_.stopped();
      };
      mutex_.Await(absl::Condition(&due));
      look_ = false;
    }
    const std::vector<IdleBeside> idle = Idle();
    {
      absl::MutexLock lock(&mutex_);
      if (slots_.stopped()) return;
      task = slots_.Next(idle);
      look_ = look_ || task.has_value();
    }
    // Next() may have told models to leave: the engine lets go of them.
    listener_.changed();
    if (!task.has_value()) continue;
    Execute(*task);
    listener_.changed();
  }
}

void ModelLoader::Execute(const ModelSlots::Task& task) {
  absl::Status status = task.status;
  try {
    if (task.kind == Kind::kFree) return Free(task);
    if (task.kind == Kind::kFreeBeside) {
      if (!task.uses.empty()) listener_.drop_beside(task.uses);
      return;
    }
    if (task.kind == Kind::kVet) return Vet(task);
    if (task.kind == Kind::kSize) status = Size(task);
    if (task.kind == Kind::kDescribe) status = Describe(task);
    if (task.kind == Kind::kLoad) status = LoadNow(task);
  } catch (...) {
    status = StatusFromException(task.files.path);
  }
  if (!status.ok()) Fail(task, status);
}

absl::StatusOr<ModelBytes> ModelLoader::BytesOf(const ModelFiles& files) const {
  try {
    return source_.bytes(files);
  } catch (...) {
    return StatusFromException(files.path);
  }
}

absl::Status ModelLoader::Size(const ModelSlots::Task& task) {
  const auto bytes = BytesOf(task.files);
  if (!bytes.ok()) return bytes.status();
  absl::MutexLock lock(&mutex_);
  slots_.Sized(task, *bytes);
  return absl::OkStatus();
}

void ModelLoader::Vet(const ModelSlots::Task& task) {
  auto bytes = BytesOf(task.files);
  if (!bytes.ok()) bytes = Printable(bytes.status());
  absl::Status failure;
  {
    absl::MutexLock lock(&mutex_);
    slots_.Vetted(task, bytes);
    news_ = true;
    failure = slots_.NewerFailure(task.id);
  }
  if (failure.ok()) return;
  metrics_.ForModel(task.id).load_failures.Increment();
  spdlog::error("model {} stays as it was, {} cannot be loaded: {}", task.id,
                task.files.path, std::string(failure.message()));
}

absl::Status ModelLoader::Describe(const ModelSlots::Task& task) {
  auto model = source_.describe(task.files);
  if (!model.ok()) return model.status();
  spdlog::info("model {} is loaded when it is asked for: {:.1f} MB of weights",
               task.id, static_cast<double>(task.bytes) / 1e6);
  absl::MutexLock lock(&mutex_);
  described_.push_back({task.id, *std::move(model), task.files, task.bytes});
  slots_.Described(task);
  news_ = true;
  return absl::OkStatus();
}

absl::Status ModelLoader::LoadNow(const ModelSlots::Task& task) {
  const absl::Time begin = clock_.Now();
  auto model = source_.load(task.files);
  const absl::Duration took = clock_.Now() - begin;
  const double seconds = absl::ToDoubleSeconds(took);
  ModelMetrics& metrics = metrics_.ForModel(task.id);
  metrics.load_seconds.Set(seconds);
  if (!model.ok()) return model.status();
  const auto bytes = static_cast<double>(task.bytes);
  metrics.weight_bytes.Set(bytes);
  spdlog::info("model {} loaded in {:.2f} s, {:.1f} MB of weights", task.id,
               seconds, bytes / 1e6);
  absl::MutexLock lock(&mutex_);
  models_[task.id] = {*std::move(model), task.files};
  load_times_[task.id] = took;
  slots_.Loaded(task.id);
  return absl::OkStatus();
}

void ModelLoader::Free(const ModelSlots::Task& task) {
  if (!task.makes_room_for.empty()) {
    spdlog::info("model {} leaves memory for {}", task.id, task.makes_room_for);
  }
  ModelRef model;
  {
    absl::MutexLock lock(&mutex_);
    model = std::move(models_.at(task.id).model);
    models_.erase(task.id);
  }
  listener_.unloaded();
  model.reset();
  ReturnFreeMemory(placement_.device);
  metrics_.ForModel(task.id).weight_bytes.Set(0);
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    news_ = true;
    ++freed_;
    return slots_.Freed(task.id);
  });
}

void ModelLoader::Fail(const ModelSlots::Task& task,
                       const absl::Status& status) {
  const std::string& id = task.id;
  const absl::Status told = Printable(status);
  spdlog::error("model {} failed to load: {}", id, std::string(told.message()));
  metrics_.ForModel(id).load_failures.Increment();
  With([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    news_ = true;
    return slots_.Failed(task, told);
  });
}

}  // namespace genzo
