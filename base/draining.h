#ifndef GENZO_BASE_DRAINING_H_
#define GENZO_BASE_DRAINING_H_

#include "absl/status/status.h"
#include "base/errors.h"

namespace genzo {

// Reason of all that a server says because it stops.
inline constexpr char kDraining[] = "DRAINING";

// Whether `status` says so: another server, or the next one, may do it.
inline bool IsDraining(const absl::Status& status) {
  return ErrorReason(status) == kDraining;
}

}  // namespace genzo

#endif  // GENZO_BASE_DRAINING_H_
