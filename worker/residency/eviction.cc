#include "worker/residency/eviction.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {

absl::StatusOr<std::vector<std::string>> ChooseEvictions(
    const std::string& id, absl::Span<const Resident> residents, int64_t needed,
    int64_t budget) {
  std::vector<Resident> evictable;
  int64_t used = 0;
  int64_t pinned = 0;
  for (const Resident& resident : residents) {
    used += resident.bytes;
    if (resident.pinned) {
      pinned += resident.bytes;
    } else {
      evictable.push_back(resident);
    }
  }
  if (pinned + needed > budget) {
    return ErrorWithReason(
        absl::StatusCode::kResourceExhausted, "DOES_NOT_FIT",
        absl::StrCat("model ", id, " needs ", needed, " bytes, pinned models ",
                     "have ", pinned, ", the budget is ", budget),
        {{"needed_bytes", absl::StrCat(needed)},
         {"budget_bytes", absl::StrCat(budget)}});
  }
  std::stable_sort(evictable.begin(), evictable.end(),
                   [](const Resident& a, const Resident& b) {
                     return a.last_used < b.last_used;
                   });
  std::vector<std::string> chosen;
  for (const Resident& resident : evictable) {
    if (used + needed <= budget) break;
    chosen.push_back(resident.id);
    used -= resident.bytes;
  }
  return chosen;
}

}  // namespace genzo
