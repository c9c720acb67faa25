#include "worker/residency/model_slots.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "queue/job_end.h"

namespace genzo {
namespace {

absl::Status LoadFailed(const absl::Status& status) {
  if (!ErrorReason(status).empty()) return status;
  return ErrorWithReason(absl::StatusCode::kFailedPrecondition, "MODEL_FAILED",
                         std::string(status.message()));
}

absl::Status Overtaken(const std::string& id) {
  return ErrorWithReason(
      absl::StatusCode::kAborted, "UNLOADED",
      absl::StrCat("model ", id, " was unloaded before it was ready"));
}

void Answer(std::vector<ModelSlots::Done>& waiting, const absl::Status& status,
            ModelSlots::Answers& answers) {
  for (ModelSlots::Done& done : waiting) {
    answers.emplace_back(std::move(done), status);
  }
  waiting.clear();
}

}  // namespace

ModelSlots::ModelSlots(const std::vector<ModelConfig>& models,
                       int64_t budget_bytes, bool keeps_activations)
    : budget_bytes_(budget_bytes), keeps_activations_(keeps_activations) {
  for (const ModelConfig& model : models) {
    slots_[model.id].files = model.files();
    slots_[model.id].pinned = model.pinned;
  }
}

absl::Status ModelSlots::Refusal(const std::string& id) const {
  if (stopped_) return DrainingError();
  const auto found = slots_.find(id);
  return found != slots_.end() && !found->second.removed
             ? absl::OkStatus()
             : ModelNotFoundError(id, {});
}

// --- what others want --------------------------------------------------------

void ModelSlots::Order(const std::string& id, Slot& slot) {
  slot.only_if_room = false;
  if (slot.state == State::kUnloaded) {
    slot.state = State::kOrdered;
    beside_asked_ = false;
    slot.weight_bytes.reset();  // the files may be others now
    slot.failure = absl::OkStatus();
    orders_.push_back(id);
  } else if (slot.unwanted || slot.state == State::kLeaving) {
    slot.again = true;
  }
}

void ModelSlots::Add(const ModelConfig& model, bool only_if_room) {
  if (stopped_) return;
  Slot& slot = slots_[model.id];
  slot.removed = false;
  slot.newer = model.files();
  slot.newer_failure = absl::OkStatus();
  if (slot.files == model.files()) slot.newer.reset();
  if (!slot.in_memory() && TakeNewer(slot)) slot.weight_bytes.reset();
  if (slot.state == State::kLeaving) TakeNewer(slot);
  // What is being read is not known to be any better.
  if (slot.state == State::kLoading && slot.newer.has_value()) Leave(slot);
  const bool wanted = slot.state == State::kOrdered && !slot.only_if_room;
  Order(model.id, slot);
  slot.only_if_room = only_if_room && !wanted && slot.state == State::kOrdered;
}

bool ModelSlots::TakeNewer(Slot& slot) {
  slot.newer_failure = absl::OkStatus();
  if (!slot.newer.has_value()) return false;
  slot.files = *std::exchange(slot.newer, std::nullopt);
  return true;
}

void ModelSlots::Request(const std::string& id) {
  if (Refusal(id).ok()) Order(id, slots_.at(id));
}

ModelSlots::Answers ModelSlots::Load(const std::string& id,
                                     std::optional<bool> pinned,
                                     const Done& done) {
  const absl::Status refusal = Refusal(id);
  if (!refusal.ok()) return {{done, refusal}};
  Slot& slot = slots_.at(id);
  if (pinned.has_value()) SetPinned(slot, *pinned);
  if (slot.state == State::kReady) {
    slot.newer_failure = absl::OkStatus();  // they may be mended
    return {{done, absl::OkStatus()}};
  }
  Order(id, slot);
  if (!loads_refused_.ok()) return {{done, loads_refused_}};
  slot.loads.push_back(done);
  return {};
}

ModelSlots::Answers ModelSlots::RefuseLoads(const absl::Status& why) {
  loads_refused_ = why;
  Answers answers;
  if (why.ok()) return answers;
  for (auto& [id, slot] : slots_) Answer(slot.loads, why, answers);
  return answers;
}

ModelSlots::Answers ModelSlots::Unload(const std::string& id,
                                       const Done& done) {
  const absl::Status refusal = Refusal(id);
  if (!refusal.ok()) return {{done, refusal}};
  Slot& slot = slots_.at(id);
  Answers answers;
  Answer(slot.loads, Overtaken(id), answers);
  slot.again = false;
  // What is being read still has its own.
  if (slot.state != State::kLoading) TakeNewer(slot);
  if (slot.in_memory()) {
    slot.unloads.push_back(done);
    Leave(slot);
  } else {
    orders_.erase(std::remove(orders_.begin(), orders_.end(), id),
                  orders_.end());
    slot.state = State::kUnloaded;
    answers.emplace_back(done, absl::OkStatus());
  }
  SetPinned(slot, false);
  return answers;
}

ModelSlots::Answers ModelSlots::Remove(const std::string& id) {
  const auto found = slots_.find(id);
  if (found == slots_.end()) return {};
  Slot& slot = found->second;
  Answers answers;
  Answer(slot.loads, ModelNotFoundError(id, {}), answers);
  slot.again = false;
  slot.newer.reset();
  SetPinned(slot, false);
  if (slot.in_memory()) {
    slot.removed = true;
    Leave(slot);
  } else {
    orders_.erase(std::remove(orders_.begin(), orders_.end(), id),
                  orders_.end());
    slots_.erase(found);
  }
  return answers;
}

void ModelSlots::Leave(Slot& slot) {
  if (slot.state == State::kLoading) {
    slot.unwanted = true;
  } else {
    slot.state = State::kLeaving;
  }
}

void ModelSlots::SetPinned(Slot& slot, bool pinned) {
  const bool was_pinned = std::exchange(slot.pinned, pinned);
  if (was_pinned == pinned || !slot.in_memory()) return;
  ForgetMisfits();
}

void ModelSlots::ForgetMisfits() {
  for (auto& [id, slot] : slots_) {
    if (ErrorReason(slot.newer_failure) == kDoesNotFit) {
      slot.newer_failure = absl::OkStatus();
    }
    if (ErrorReason(slot.failure) != kDoesNotFit) continue;
    slot.failure = absl::OkStatus();
    if (slot.introduced) continue;
    const bool only_if_room = slot.only_if_room;
    Order(id, slot);
    slot.only_if_room = only_if_room;
  }
}

ModelSlots::Answers ModelSlots::Stop() {
  stopped_ = true;
  Answers answers;
  for (auto& [id, slot] : slots_) {
    Answer(slot.loads, DrainingError(), answers);
    Answer(slot.unloads, DrainingError(), answers);
    slot.again = false;
    if (slot.state == State::kOrdered) slot.state = State::kUnloaded;
  }
  orders_.clear();
  return answers;
}

// --- what the loading thread does --------------------------------------------

std::optional<ModelSlots::Task> ModelSlots::Next(
    const std::vector<IdleBeside>& idle) {
  if (stopped_) return std::nullopt;
  in_use_beside_ = InUseBeside(idle);
  if (auto task = NextFree()) return task;
  if (auto task = NextVet()) return task;
  for (const std::string& id : orders_) {
    const Slot& slot = slots_.at(id);
    if (!slot.weight_bytes.has_value()) {
      return Task{.kind = Task::Kind::kSize, .id = id, .files = slot.files};
    }
  }
  auto task = NextLoad(idle);
  return task.has_value() ? task : NextFree();  // which it may have chosen
}

std::optional<ModelSlots::Task> ModelSlots::NextFree() const {
  for (const auto& [id, slot] : slots_) {
    if (slot.state == State::kLeaving && slot.holders == 0) {
      return Task{.kind = Task::Kind::kFree,
                  .id = id,
                  .makes_room_for = slot.makes_room_for};
    }
  }
  return std::nullopt;
}

std::optional<ModelSlots::Task> ModelSlots::NextVet() const {
  for (const auto& [id, slot] : slots_) {
    if (slot.state == State::kReady && slot.newer.has_value() &&
        slot.newer_failure.ok()) {
      return Task{.kind = Task::Kind::kVet, .id = id, .files = *slot.newer};
    }
  }
  return std::nullopt;
}

void ModelSlots::Sized(const Task& task, const ModelBytes& weight_bytes) {
  const auto found = slots_.find(task.id);
  if (found == slots_.end() || found->second.files != task.files) return;
  found->second.weight_bytes = weight_bytes;
}

void ModelSlots::Vetted(const Task& task,
                        const absl::StatusOr<ModelBytes>& weight_bytes) {
  const auto found = slots_.find(task.id);
  if (found == slots_.end() || found->second.newer != task.files) return;
  Slot& slot = found->second;
  absl::Status status = weight_bytes.status();
  if (status.ok()) {
    ModelBytes bytes = *weight_bytes;
    bytes += slot.activation_bytes;
    status = FitsInPlaceOf(task.id, bytes);
  }
  if (!status.ok()) {
    slot.newer_failure = LoadFailed(status);
  } else if (slot.state == State::kReady) {
    Leave(slot);
    TakeNewer(slot);
    Order(task.id, slot);
  }
}

void ModelSlots::Described(const Task& task) {
  const auto found = slots_.find(task.id);
  if (found == slots_.end() || found->second.files != task.files) return;
  Slot& slot = found->second;
  slot.introduced = true;
  // Somebody may have asked for it meanwhile, or had it unloaded.
  if (slot.state != State::kOrdered || !slot.only_if_room) return;
  orders_.erase(std::remove(orders_.begin(), orders_.end(), task.id),
                orders_.end());
  slot.state = State::kUnloaded;
}

void ModelSlots::Loaded(const std::string& id) {
  Slot& slot = slots_.at(id);
  slot.state = slot.unwanted ? State::kLeaving : State::kNews;
  if (std::exchange(slot.unwanted, false)) TakeNewer(slot);
  slot.makes_room_for.clear();
}

ModelSlots::Answers ModelSlots::Failed(const Task& task,
                                       const absl::Status& status) {
  const auto found = slots_.find(task.id);
  // Unloaded or removed meanwhile: nobody wants to know.
  if (found == slots_.end() || found->second.files != task.files ||
      found->second.state == State::kUnloaded) {
    return {};
  }
  Slot& slot = found->second;
  orders_.erase(std::remove(orders_.begin(), orders_.end(), task.id),
                orders_.end());
  slot.state = State::kUnloaded;
  Answers answers;
  Answer(slot.unloads, absl::OkStatus(), answers);
  const bool was_wanted = !std::exchange(slot.unwanted, false);
  // Where there is no room for its own, there is none for refused ones.
  const bool is_other = task.kind != Task::Kind::kRefuse && TakeNewer(slot);
  if (std::exchange(slot.again, false) || (was_wanted && is_other)) {
    Order(task.id, slot);
    return answers;
  }
  if (!is_other) slot.failure = LoadFailed(status);
  Answer(slot.loads, LoadFailed(status), answers);
  if (slot.removed) slots_.erase(found);
  return answers;
}

ModelSlots::Answers ModelSlots::Freed(const std::string& id) {
  Slot& slot = slots_.at(id);
  slot.state = State::kUnloaded;
  slot.makes_room_for.clear();
  Answers answers;
  Answer(slot.unloads, absl::OkStatus(), answers);
  if (std::exchange(slot.again, false)) Order(id, slot);
  if (slot.removed) slots_.erase(id);
  ForgetMisfits();
  return answers;
}

// --- what the engine does ----------------------------------------------------

std::vector<std::string> ModelSlots::TakeNews() {
  std::vector<std::string> ids;
  for (auto& [id, slot] : slots_) {
    if (slot.state != State::kNews) continue;
    slot.state = State::kMeasuring;
    ++slot.holders;
    ids.push_back(id);
  }
  return ids;
}

ModelSlots::Answers ModelSlots::Ready(const std::string& id,
                                      int64_t activation_bytes) {
  Slot& slot = slots_.at(id);
  slot.activation_bytes = activation_bytes;
  slot.introduced = true;
  if (slot.state != State::kMeasuring) return {};  // it leaves already
  slot.state = State::kReady;
  slot.last_used = ++uses_;
  Answers answers;
  Answer(slot.loads, absl::OkStatus(), answers);
  return answers;
}

ModelSlots::Answers ModelSlots::Reject(const std::string& id,
                                       const absl::Status& status) {
  Slot& slot = slots_.at(id);
  if (slot.state != State::kMeasuring) return {};
  slot.state = State::kLeaving;
  if (slot.newer_failure.ok() && TakeNewer(slot)) {
    Order(id, slot);
    return {};
  }
  slot.failure = LoadFailed(status);
  Answers answers;
  Answer(slot.loads, slot.failure, answers);
  return answers;
}

bool ModelSlots::Hold(const std::string& id) {
  const auto found = slots_.find(id);
  if (found == slots_.end() || found->second.state != State::kReady) {
    return false;
  }
  found->second.last_used = ++uses_;
  ++found->second.holders;
  return true;
}

void ModelSlots::Release(const std::string& id) { --slots_.at(id).holders; }

// --- what is so --------------------------------------------------------------

bool ModelSlots::HasNews() const {
  return std::any_of(slots_.begin(), slots_.end(), [](const auto& entry) {
    return entry.second.state == State::kNews;
  });
}

bool ModelSlots::UnderWay() const {
  return std::any_of(slots_.begin(), slots_.end(),
                     [](const auto& entry) {
                       return entry.second.state != State::kUnloaded &&
                              entry.second.state != State::kReady;
                     }) ||
         NextVet().has_value();
}

bool ModelSlots::Leaving(const std::string& id) const {
  const auto found = slots_.find(id);
  return found == slots_.end() || found->second.state == State::kLeaving;
}

bool ModelSlots::Pinned(const std::string& id) const {
  const auto found = slots_.find(id);
  return found != slots_.end() && found->second.pinned;
}

std::set<std::string> ModelSlots::ReadyIds() const {
  std::set<std::string> ids;
  for (const auto& [id, slot] : slots_) {
    if (slot.state == State::kReady) ids.insert(id);
  }
  return ids;
}

absl::Status ModelSlots::Failure(const std::string& id) const {
  const auto found = slots_.find(id);
  if (found == slots_.end() || found->second.removed) {
    return ModelNotFoundError(id, {});
  }
  return found->second.failure;
}

absl::Status ModelSlots::NewerFailure(const std::string& id) const {
  const auto found = slots_.find(id);
  return found == slots_.end() ? absl::OkStatus() : found->second.newer_failure;
}

}  // namespace genzo
