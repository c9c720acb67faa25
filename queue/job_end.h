#ifndef GENZO_QUEUE_JOB_END_H_
#define GENZO_QUEUE_JOB_END_H_

#include "absl/status/status.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// The end that `status` brings: JOB_STATE_SUCCEEDED for OK, _CANCELLED for
// CANCELLED, _EXPIRED for DEADLINE_EXCEEDED, else _FAILED, with the status in
// it. Times and counts are left out. Pure.
v1::Ended EndedBy(const absl::Status& status);

// UNAVAILABLE/DRAINING: what a server that stops says to all that is asked of
// it, or was.
absl::Status DrainingError();

// DEADLINE_EXCEEDED/DEADLINE_EXCEEDED: what ends a job that is late.
absl::Status JobLateError();

// The status of an end, OK if it succeeded. Pure.
absl::Status StatusOf(const v1::Ended& ended);

}  // namespace genzo

#endif  // GENZO_QUEUE_JOB_END_H_
