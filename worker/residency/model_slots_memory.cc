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

int64_t ModelSlots::BytesInMemory() const {
  int64_t bytes = beside_bytes_;
  for (const auto& [id, slot] : slots_) {
    if (slot.in_memory()) bytes += slot.bytes();
  }
  return bytes;
}

absl::Status ModelSlots::FitsInPlaceOf(const std::string& id,
                                       int64_t bytes) const {
  std::vector<Resident> others = Residents(/*idle=*/{});
  std::erase_if(others, [&id](const auto& other) { return other.id == id; });
  return ChooseEvictions(id, others, bytes, LeftBeside()).status();
}

ModelSlots::Room ModelSlots::ReserveBeside(int64_t bytes,
                                           const std::vector<IdleBeside>& idle,
                                           const std::string& user) {
  if (stopped_) return {DrainingError()};
  if (BytesInMemory() + bytes <= budget_bytes_) {
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
                   BytesInMemory(), " of ", budget_bytes_))};
}

int64_t ModelSlots::MostBeside(const std::string& user) const {
  int64_t most = budget_bytes_;
  for (const auto& [id, slot] : slots_) {
    if (id == user || (slot.pinned && slot.in_memory())) most -= slot.bytes();
  }
  return most;
}

void ModelSlots::SetBeside(int64_t bytes) {
  const bool less = bytes < beside_bytes_;
  beside_bytes_ = bytes;
  if (less) ForgetMisfits();
}

int64_t ModelSlots::BytesLeft(const std::string& id) const {
  int64_t left = budget_bytes_ - beside_bytes_;
  for (const auto& [other, slot] : slots_) {
    if (!slot.in_memory()) continue;
    left -= slot.weight_bytes.value_or(0);
    if (keeps_activations_ && other != id) left -= slot.activation_bytes;
  }
  return left;
}

}  // namespace genzo
