#include "server/stall_watch.h"

#include "absl/strings/str_format.h"

namespace genzo {

std::string StallWatch::Look(const Seen& seen, absl::Time now) {
  const bool moved = seen.evaluations != evaluations_;
  evaluations_ = seen.evaluations;
  if (moved || seen.loading || seen.jobs == 0) moved_ = now;
  const absl::Duration still = now - moved_;
  if (still < most_) return "";
  return absl::StrFormat("no step for %.0f s while %.0f jobs wait or run",
                         absl::ToDoubleSeconds(still), seen.jobs);
}

}  // namespace genzo
