#ifndef GENZO_QUEUE_ADMISSION_H_
#define GENZO_QUEUE_ADMISSION_H_

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace genzo {

// What the answer to a new job may depend on.
struct AdmissionFacts {
  size_t waiting = 0;             // jobs in the queue
  size_t capacity = 1;            // jobs that may wait
  size_t places_short = 0;        // to become free first, for the job's tenant
  absl::Duration time_per_place;  // measured: until one more is free
  std::optional<absl::Duration> predicted;  // until the job would be done
  absl::Duration time_to_deadline = absl::InfiniteDuration();
};

// OK, UNAVAILABLE/QUEUE_FULL with a RetryInfo of the time until there is room,
// or UNAVAILABLE/DEADLINE_UNREACHABLE, with `predicted_seconds` in its
// ErrorInfo and a RetryInfo of the time until enough work is gone. Pure.
absl::Status Admit(const AdmissionFacts& facts);

}  // namespace genzo

#endif  // GENZO_QUEUE_ADMISSION_H_
