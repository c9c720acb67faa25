// Whose the bytes of a device's budget are: what models and what stands beside
// them take, and who leaves for whom.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "queue/job_end.h"
#include "worker/residency/model_slots.h"

namespace genzo {
namespace {

// A model's id has no space.
std::string BesideId(const IdleBeside& one) {
  return absl::StrCat("use ", one.last_used);
}

}  // namespace

int64_t ModelSlots::InUseBeside(const std::vector<IdleBeside>& idle) const {
  int64_t in_use = beside_bytes_;
  for (const IdleBeside& one : idle) in_use -= one.bytes;
  return std::max<int64_t>(0, in_use);
}

std::vector<int64_t> ModelSlots::LeaveFor(
    const std::string& id, const std::vector<std::string>& chosen,
    const std::vector<IdleBeside>& idle) {
  for (const std::string& other : chosen) {
    const auto model = slots_.find(other);
    if (model == slots_.end()) continue;
    Leave(model->second);
    model->second.makes_room_for = id;
  }
  std::vector<int64_t> uses;
  for (const IdleBeside& one : idle) {
    if (std::count(chosen.begin(), chosen.end(), BesideId(one)) > 0) {
      uses.push_back(one.last_used);
    }
  }
  return uses;
}

std::vector<Resident> ModelSlots::Residents(
    const std::vector<IdleBeside>& idle) const {
  std::vector<Resident> residents;
  for (const IdleBeside& one : idle) {
    residents.push_back(
        {.id = BesideId(one), .bytes = one.bytes, .last_used = one.last_used});
  }
  for (const auto& [id, slot] : slots_) {
    if (!slot.in_memory() || slot.state == State::kLeaving) continue;
    residents.push_back({.id = id,
                         .bytes = slot.bytes(),
                         .pinned = slot.pinned,
                         .stays = slot.state != State::kReady,
                         .in_use = slot.holders > 0,
                         .last_used = slot.last_used});
  }
  return residents;
}

BytesTogether ModelSlots::InMemory() const {
  BytesTogether together(beside_bytes_);
  for (const auto& [id, slot] : slots_) {
    if (slot.in_memory()) together.Add(slot.bytes());
  }
  return together;
}

// Every order gets a place in the budget in turn. One whose place is still
// taken by a model that leaves waits for it; those behind may use what neither
// needs.
std::optional<ModelSlots::Task> ModelSlots::NextLoad(
    const std::vector<IdleBeside>& idle) {
  if (!loads_refused_.ok()) return std::nullopt;
  std::vector<Resident> before;
  for (const std::string& id : orders_) {
    Slot& slot = slots_.at(id);
    std::vector<Resident> residents = Residents(idle);
    residents.insert(residents.end(), before.begin(), before.end());
    const auto leaving =
        ChooseEvictions(id, residents, slot.bytes(), LeftBeside());
    if (!leaving.ok() && beside_bytes_ > 0 && !beside_asked_) {
      beside_asked_ = true;
      return Task{.kind = Task::Kind::kFreeBeside, .id = id};
    }
    if (!leaving.ok()) {
      return Task{.kind = Task::Kind::kRefuse,
                  .id = id,
                  .files = slot.files,
                  .status = leaving.status()};
    }
    BytesTogether with = InMemory();
    with.Add(slot.bytes());
    const bool has_room = with.bytes() <= budget_bytes_;
    for (const Resident& other : before) with.Add(other.bytes);
    if (slot.only_if_room && with.bytes() > budget_bytes_) {
      return Task{.kind = Task::Kind::kDescribe,
                  .id = id,
                  .files = slot.files,
                  .bytes = slot.weight_bytes->all};
    }
    std::vector<int64_t> uses = LeaveFor(id, *leaving, idle);
    if (!uses.empty()) {
      return Task{
          .kind = Task::Kind::kFreeBeside, .id = id, .uses = std::move(uses)};
    }
    if (has_room) {
      Task task = {.kind = Task::Kind::kLoad,
                   .id = id,
                   .files = slot.files,
                   .bytes = slot.weight_bytes->all};
      slot.state = State::kLoading;
      orders_.erase(std::find(orders_.begin(), orders_.end(), id));
      return task;
    }
    before.push_back({.id = id, .bytes = slot.bytes(), .stays = true});
  }
  return std::nullopt;
}

absl::Status ModelSlots::FitsInPlaceOf(const std::string& id,
                                       const ModelBytes& bytes) const {
  std::vector<Resident> others = Residents(/*idle=*/{});
  std::erase_if(others, [&id](const auto& other) { return other.id == id; });
  return ChooseEvictions(id, others, bytes, LeftBeside()).status();
}

ModelSlots::Room ModelSlots::ReserveBeside(int64_t bytes,
                                           const std::vector<IdleBeside>& idle,
                                           const std::string& user) {
  if (stopped_) return {DrainingError()};
  const int64_t in_memory = InMemory().bytes();
  if (in_memory + bytes <= budget_bytes_) {
    beside_bytes_ += bytes;
    return {absl::OkStatus()};
  }
  std::vector<Resident> residents = Residents(idle);
  for (Resident& resident : residents) {
    resident.pinned = resident.pinned || resident.id == user;
    if (user.empty()) resident.stays = resident.stays || resident.in_use;
  }
  residents.push_back({.bytes = InUseBeside(idle), .stays = true});
  const auto leaving = ChooseEvictions("and what stands beside it", residents,
                                       bytes, budget_bytes_);
  if (!leaving.ok()) return {leaving.status()};
  Room room = {absl::UnavailableError("others are leaving")};
  room.uses = LeaveFor("what stands beside models", *leaving, idle);
  const bool any = std::any_of(slots_.begin(), slots_.end(), [](auto& entry) {
    return entry.second.state == State::kLeaving && entry.second.holders == 0;
  });
  if (!user.empty() || !room.uses.empty() || any) return room;
  return {ErrorWithReason(
      absl::StatusCode::kResourceExhausted, kDoesNotFit,
      absl::StrCat(bytes,
                   " bytes more do not fit beside models in use, which "
                   "take ",
                   in_memory, " of ", budget_bytes_))};
}

int64_t ModelSlots::MostBeside(const std::string& user) const {
  BytesTogether stay;
  for (const auto& [id, slot] : slots_) {
    if (id == user || (slot.pinned && slot.in_memory())) stay.Add(slot.bytes());
  }
  return budget_bytes_ - stay.bytes();
}

void ModelSlots::SetBeside(int64_t bytes) {
  const bool less = bytes < beside_bytes_;
  beside_bytes_ = bytes;
  if (less) ForgetMisfits();
}

int64_t ModelSlots::BytesLeft(const std::string& id) const {
  BytesTogether taken(beside_bytes_);
  for (const auto& [other, slot] : slots_) {
    if (!slot.in_memory()) continue;
    taken.Add(slot.weight_bytes.value_or(0));
    if (keeps_activations_ && other != id) taken.Add(slot.activation_bytes);
  }
  return budget_bytes_ - taken.bytes();
}

}  // namespace genzo
