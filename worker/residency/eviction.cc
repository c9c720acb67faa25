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
    pinned.push_back(absl::StrCat(resident.id, " (", resident.bytes, ")"));
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
    const std::string& id, absl::Span<const Resident> residents, int64_t needed,
    int64_t budget) {
  std::vector<Resident> evictable;
  int64_t used = needed;
  int64_t pinned = 0;
  for (const Resident& resident : residents) {
    used += resident.bytes;
    if (resident.pinned) pinned += resident.bytes;
    if (!resident.pinned && !resident.stays) evictable.push_back(resident);
  }
  if (pinned + needed > budget) {
    return DoesNotFit(id, residents, needed, budget);
  }
  std::stable_sort(evictable.begin(), evictable.end(), LeavesBefore);
  std::vector<Resident> chosen;
  for (const Resident& resident : evictable) {
    if (used <= budget) break;
    chosen.push_back(resident);
    used -= resident.bytes;
  }
  std::vector<std::string> ids;
  for (const Resident& resident : chosen) {
    // A later one may have made enough room alone.
    if (used + resident.bytes <= budget) {
      used += resident.bytes;
    } else {
      ids.push_back(resident.id);
    }
  }
  return ids;
}

}  // namespace genzo
