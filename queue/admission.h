#ifndef GENZO_QUEUE_ADMISSION_H_
#define GENZO_QUEUE_ADMISSION_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace genzo {

// What the answer to a new job may depend on.
struct AdmissionFacts {
  size_t waiting = 0;            // jobs in the queue
  size_t capacity = 1;           // jobs that may wait
  bool has_room = false;         // for another of the job's tenant
  absl::Duration time_to_place;  // measured: until a place is free again
  std::optional<absl::Duration> predicted;  // until the job would be done
  absl::Duration time_to_deadline = absl::InfiniteDuration();
};

// OK, UNAVAILABLE/QUEUE_FULL with a RetryInfo of `time_to_place`, or
// UNAVAILABLE/DEADLINE_UNREACHABLE, with `predicted_seconds` in its ErrorInfo
// and a RetryInfo of the time until enough work is gone. Pure.
absl::Status Admit(const AdmissionFacts& facts);

}  // namespace genzo

#endif  // GENZO_QUEUE_ADMISSION_H_
