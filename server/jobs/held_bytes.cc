#include "server/jobs/held_bytes.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"

namespace genzo {

int64_t PictureBytes(const v1::JobEvent& event) {
  return static_cast<int64_t>(event.preview().picture().data().size() +
                              event.image().picture().data().size());
}

void HeldBytes::Add(const std::string& tenant, int64_t more) {
  all_ += more;
  of_tenants_.Add(tenant, more);
  metrics_.undelivered_bytes().Set(static_cast<double>(all_));
}

absl::Status HeldBytes::CheckRoom(const std::string& tenant,
                                  int64_t more) const {
  const int64_t own = of_tenants_.Of(tenant);
  const bool fits = (own == 0 || own + more <= limits_.tenant_bytes) &&
                    (all_ == 0 || all_ + more <= limits_.process_bytes);
  if (fits) return absl::OkStatus();
  return RetryLaterError(
      "RESULTS_BUSY",
      absl::StrCat("the job's ", more, " bytes have no room beside the ", own,
                   " that wait for the caller's readers and the ", all_,
                   " of all"),
      kResultsRetry, {}, absl::StatusCode::kResourceExhausted);
}

}  // namespace genzo
