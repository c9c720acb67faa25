#include "worker/residency/eviction.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/errors.h"

namespace genzo {
namespace {

absl::Status DoesNotFit(const std::string& id,
                        absl::Span<const Resident> residents, int64_t needed,
                        int64_t budget) {
  std::vector<std::string> pinned;
  for (const Resident& resident : residents) {
    if (!resident.pinned) continue;
    pinned.push_back(absl::StrCat(resident.id, " (", resident.bytes.all, ")"));
  }
  return ErrorWithReason(
      absl::StatusCode::kResourceExhausted, kDoesNotFit,
      absl::StrCat("model ", id, " needs ", needed, " bytes, the budget is ",
                   budget,
                   pinned.empty() ? "" : ", of which pinned models hold: ",
                   absl::StrJoin(pinned, ", ")),
      {{"needed_bytes", absl::StrCat(needed)},
       {"budget_bytes", absl::StrCat(budget)}});
}

// Idle ones first, of them the least recently used.
bool LeavesBefore(const Resident& a, const Resident& b) {
  return std::tie(a.in_use, a.last_used) < std::tie(b.in_use, b.last_used);
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ChooseEvictions(
    const std::string& id, absl::Span<const Resident> residents,
    const ModelBytes& needed, int64_t budget) {
  std::vector<Resident> evictable;
  BytesTogether used;
  BytesTogether pinned;
  used.Add(needed);
  pinned.Add(needed);
  for (const Resident& resident : residents) {
    used.Add(resident.bytes);
    if (resident.pinned) pinned.Add(resident.bytes);
    if (!resident.pinned && !resident.stays) evictable.push_back(resident);
  }
  if (pinned.bytes() > budget) {
    return DoesNotFit(id, residents, needed.all, budget);
  }
  std::stable_sort(evictable.begin(), evictable.end(), LeavesBefore);
  std::vector<Resident> chosen;
  for (const Resident& resident : evictable) {
    if (used.bytes() <= budget) break;
    chosen.push_back(resident);
    used.Remove(resident.bytes);
  }
  std::vector<std::string> ids;
  for (const Resident& resident : chosen) {
    // A later one may have made enough room alone.
    used.Add(resident.bytes);
    if (used.bytes() <= budget) continue;
    used.Remove(resident.bytes);
    ids.push_back(resident.id);
  }
  return ids;
}

}  // namespace genzo
