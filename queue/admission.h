#ifndef GENZO_QUEUE_ADMISSION_H_
#define GENZO_QUEUE_ADMISSION_H_

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

// Who may have a place, and what a job hears that gets none. Pure.

namespace genzo {

// Places that are shared by tenants: runs on a device, jobs in a queue. Whoever
// comes first may fill them. Beyond that only tenants with less than an equal
// share get more, so that a flood of one keeps nobody else out, until there are
// kMostOverPlaces times as many in all.
constexpr size_t kMostOverPlaces = 2;

// How many places each tenant has.
using TenantCounts = std::map<std::string, size_t>;
size_t TotalOf(const TenantCounts& counts);

// Whether nobody may have another of `places` when so many are `taken`.
bool IsFull(size_t taken, size_t places);

// Who may not have another of `places` while it is not full.
std::set<std::string> TenantsWithEnough(const TenantCounts& counts,
                                        size_t places);

// How many places must become free before `tenant` may have another: 0 if there
// is room.
size_t PlacesShort(TenantCounts counts, size_t places,
                   const std::string& tenant);

// What the answer to a new job may depend on.
struct AdmissionFacts {
  size_t waiting = 0;             // jobs in the queue
  size_t capacity = 1;            // jobs that may wait
  size_t places_short = 0;        // to become free first, for the job's tenant
  absl::Duration time_per_place;  // measured: until one more is free
  std::optional<absl::Duration> predicted;  // until the job would be done
  absl::Duration alone;                     // the same on an idle pool
  absl::Duration time_to_deadline = absl::InfiniteDuration();
};

// OK or, in this order,
// UNAVAILABLE/QUEUE_FULL with a RetryInfo of the time until there is room, and
// quota "queue" and limit in the ErrorInfo;
// FAILED_PRECONDITION/DEADLINE_UNREACHABLE where the job would be late even
// `alone`, so that trying again is of no use;
// RESOURCE_EXHAUSTED/DEADLINE_UNREACHABLE where others are in its way, with a
// RetryInfo of the time until enough of their work is gone.
// `predicted_seconds` is in the ErrorInfo of the last two.
absl::Status Admit(const AdmissionFacts& facts);

}  // namespace genzo

#endif  // GENZO_QUEUE_ADMISSION_H_
