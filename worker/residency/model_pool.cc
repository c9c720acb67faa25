#include "worker/residency/model_pool.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "base/logging.h"
#include "c10/core/InferenceMode.h"
#include "worker/device/device_stream.h"
#include "worker/device/free_memory.h"
#include "worker/device/thread_count.h"

namespace genzo {
namespace {

absl::Status LoadFailed(const absl::Status& status) {
  if (!ErrorReason(status).empty()) return status;
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, "MODEL_FAILED",
                         std::string(status.message()));
}

absl::Status Stopping() {
  return RetryLaterError("DRAINING", "the server is shutting down",
                         absl::ZeroDuration());
}

}  // namespace

ModelPool::ModelPool(const Config& config, const Placement& placement,
                     int64_t budget_bytes, const Clock& clock, Metrics& metrics,
                     ModelPoolListener listener)
    : placement_(placement),
      budget_bytes_(budget_bytes),
      clock_(clock),
      metrics_(metrics),
      listener_(std::move(listener)) {
  for (const ModelConfig& model : config.models) {
    slots_[model.id].path = model.path;
    slots_[model.id].pinned = model.pinned;
  }
  thread_ = std::thread([this] { Loop(); });
}

ModelPool::~ModelPool() {
  Stop();
  thread_.join();
}

ModelPool::Model ModelPool::Hold(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end() || !found->second.usable()) return nullptr;
  found->second.last_used = ++uses_;
  return HoldLocked(id, found->second);
}

ModelPool::Model ModelPool::HoldLocked(const std::string& id, Slot& slot) {
  ++slot.holders;
  return Model(slot.model.get(),
               [this, id](const DiffusionModel*) { Release(id); });
}

void ModelPool::Release(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  --slots_.at(id).holders;
}

bool ModelPool::OrderedLocked(const std::string& id) const {
  return std::any_of(orders_.begin(), orders_.end(), [&](const Order& order) {
    return order.load && order.id == id;
  });
}

void ModelPool::Request(const std::string& id) {
  absl::MutexLock lock(&mutex_);
  const auto found = slots_.find(id);
  if (found == slots_.end() || stopping_ || OrderedLocked(id)) return;
  const Slot& slot = found->second;
  if (slot.model != nullptr && !slot.leaving) return;
  orders_.push_back({.id = id, .load = true, .done = nullptr});
}

absl::Status ModelPool::RefusalLocked(const std::string& id) const {
  if (stopping_) return Stopping();
  return slots_.count(id) > 0 ? absl::OkStatus() : ModelNotFoundError(id, {});
}

void ModelPool::Load(const std::string& id, std::optional<bool> pinned,
                     const ModelControl::Done& done) {
  bool ready = false;
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = RefusalLocked(id);
    if (refused.ok()) {
      Slot& slot = slots_.at(id);
      if (pinned.has_value()) slot.pinned = *pinned;
      ready = slot.usable();
      if (!ready) slot.waiting.push_back(done);
    }
  }
  if (!refused.ok()) return done(refused);
  if (ready) {
    listener_.changed();  // the pin may be news
    return done(absl::OkStatus());
  }
  Request(id);
}

void ModelPool::Unload(const std::string& id, const ModelControl::Done& done) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = RefusalLocked(id);
    if (refused.ok()) {
      slots_.at(id).pinned = false;
      orders_.push_back({.id = id, .load = false, .done = done});
    }
  }
  if (!refused.ok()) done(refused);
}

std::vector<ModelPool::Loaded> ModelPool::TakeLoaded() {
  std::vector<Loaded> loaded;
  absl::MutexLock lock(&mutex_);
  for (auto& [id, slot] : slots_) {
    if (!slot.is_news()) continue;
    slot.reported = true;
    loaded.push_back({id, HoldLocked(id, slot)});
  }
  return loaded;
}

void ModelPool::Ready(const std::string& id, int64_t activation_bytes) {
  std::vector<ModelControl::Done> waiting;
  {
    absl::MutexLock lock(&mutex_);
    Slot& slot = slots_.at(id);
    slot.ready = true;
    slot.activation_bytes = activation_bytes;
    slot.bytes = slot.model->weight_bytes() + activation_bytes;
    waiting = std::exchange(slot.waiting, {});
  }
  for (const ModelControl::Done& done : waiting) done(absl::OkStatus());
}

void ModelPool::Reject(const std::string& id, const absl::Status& status) {
  {
    absl::MutexLock lock(&mutex_);
    orders_.push_front(
        {.id = id, .load = false, .done = [](const absl::Status&) {}});
  }
  Fail(id, status);
}

void ModelPool::AwaitChange() {
  absl::MutexLock lock(&mutex_);
  const auto changed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || (!working_ && orders_.empty()) ||
           std::any_of(slots_.begin(), slots_.end(), [](const auto& entry) {
             return entry.second.is_news();
           });
  };
  mutex_.Await(absl::Condition(&changed));
}

absl::Status ModelPool::Failure(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = slots_.find(id);
  return found == slots_.end() ? absl::OkStatus() : found->second.failure;
}

std::set<std::string> ModelPool::ReadyIds() const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> ids;
  for (const auto& [id, slot] : slots_) {
    if (slot.usable()) ids.insert(id);
  }
  return ids;
}

bool ModelPool::Pinned(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return slots_.at(id).pinned;
}

int64_t ModelPool::BytesLeft(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  int64_t left = budget_bytes_;
  for (const auto& [other, slot] : slots_) {
    if (slot.model == nullptr) continue;
    const bool weights_only = placement_.device.is_cpu() || other == id;
    left -= weights_only ? slot.model->weight_bytes() : slot.bytes;
  }
  return left;
}

void ModelPool::Stop() {
  std::vector<ModelControl::Done> left;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (Order& order : orders_) {
      if (order.done != nullptr) left.push_back(std::move(order.done));
    }
    orders_.clear();
    for (auto& [id, slot] : slots_) {
      for (auto& done : slot.waiting) left.push_back(std::move(done));
      slot.waiting.clear();
    }
  }
  for (const ModelControl::Done& done : left) done(Stopping());
}

void ModelPool::Loop() {
  c10::InferenceMode inference;
  const DeviceStream stream(placement_.device, StreamPriority::kLow);
  const DeviceStream::Scope on_stream(stream);
  UseThreadsHere(1);
  while (true) {
    Order order;
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !orders_.empty();
      };
      mutex_.Await(absl::Condition(&ready));
      if (stopping_) return;
      order = std::move(orders_.front());
      orders_.pop_front();
      working_ = true;
    }
    Execute(order);
    {
      absl::MutexLock lock(&mutex_);
      working_ = false;
    }
    listener_.changed();
  }
}

void ModelPool::Execute(const Order& order) {
  if (order.load) return LoadModel(order.id);
  FreeModel(order.id);
  order.done(absl::OkStatus());
}

void ModelPool::LoadModel(const std::string& id) {
  std::string path;
  int64_t activation_bytes = 0;
  {
    absl::MutexLock lock(&mutex_);
    Slot& slot = slots_.at(id);
    if (slot.model != nullptr) return;
    slot.failure = absl::OkStatus();
    path = slot.path;
    activation_bytes = slot.activation_bytes;
  }
  const absl::Time begin = clock_.Now();
  ModelMetrics& metrics = metrics_.ForModel(id);
  const auto weight_bytes = DiffusionModel::WeightBytes(path, placement_);
  if (!weight_bytes.ok()) return Fail(id, weight_bytes.status());
  const absl::Status room = MakeRoom(id, *weight_bytes + activation_bytes);
  if (!room.ok()) return Fail(id, room);
  auto model = DiffusionModel::Load(path, placement_);
  const double seconds = absl::ToDoubleSeconds(clock_.Now() - begin);
  metrics.load_seconds.Set(seconds);
  if (!model.ok()) return Fail(id, model.status());
  spdlog::info("model {} loaded in {:.2f} s, {:.1f} MB of weights", id, seconds,
               static_cast<double>((*model)->weight_bytes()) / 1e6);
  metrics.weight_bytes.Set(static_cast<double>((*model)->weight_bytes()));
  absl::MutexLock lock(&mutex_);
  Slot& slot = slots_.at(id);
  slot.model = *std::move(model);
  slot.bytes = slot.model->weight_bytes() + activation_bytes;
  slot.ready = false;
  slot.reported = false;
  slot.leaving = false;
  slot.last_used = ++uses_;
}

absl::Status ModelPool::MakeRoom(const std::string& id, int64_t bytes) {
  std::vector<Resident> residents;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& [other, slot] : slots_) {
      if (slot.model == nullptr) continue;
      residents.push_back({other, slot.bytes, slot.pinned, slot.last_used});
    }
  }
  const auto evictions = ChooseEvictions(id, residents, bytes, budget_bytes_);
  if (!evictions.ok()) return evictions.status();
  for (const std::string& other : *evictions) {
    spdlog::info("model {} leaves memory for {}", other, id);
    FreeModel(other);
  }
  return absl::OkStatus();
}

void ModelPool::FreeModel(const std::string& id) {
  std::shared_ptr<const DiffusionModel> model;
  {
    absl::MutexLock lock(&mutex_);
    Slot& slot = slots_.at(id);
    if (slot.model == nullptr) return;
    slot.leaving = true;
  }
  listener_.changed();
  {
    absl::MutexLock lock(&mutex_);
    Slot& slot = slots_.at(id);
    const auto free = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return slot.holders == 0;
    };
    mutex_.Await(absl::Condition(&free));
    model = std::move(slot.model);
    slot.model = nullptr;
    slot.ready = false;
    slot.leaving = false;
    slot.bytes = 0;
  }
  listener_.unloaded();
  model.reset();
  ReturnFreeMemory(placement_.device);
  metrics_.ForModel(id).weight_bytes.Set(0);
}

void ModelPool::Fail(const std::string& id, const absl::Status& status) {
  spdlog::error("model {} failed to load: {}", id,
                std::string(status.message()));
  const absl::Status failure = LoadFailed(status);
  std::vector<ModelControl::Done> waiting;
  {
    absl::MutexLock lock(&mutex_);
    Slot& slot = slots_.at(id);
    slot.failure = failure;
    waiting = std::exchange(slot.waiting, {});
  }
  for (const ModelControl::Done& done : waiting) done(failure);
}

}  // namespace genzo
