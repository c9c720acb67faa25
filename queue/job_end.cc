#include "queue/job_end.h"

#include "base/draining.h"
#include "base/errors.h"

namespace genzo {
namespace {

v1::JobState StateBy(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return v1::JOB_STATE_SUCCEEDED;
    case absl::StatusCode::kCancelled:
      return v1::JOB_STATE_CANCELLED;
    case absl::StatusCode::kDeadlineExceeded:
      return v1::JOB_STATE_EXPIRED;
    default:
      return v1::JOB_STATE_FAILED;
  }
}

}  // namespace

absl::Status DrainingError() {
  return RetryLaterError(kDraining, "the server is shutting down",
                         absl::ZeroDuration());
}

absl::Status JobLateError() {
  return ErrorWithReason(absl::StatusCode::kDeadlineExceeded,
                         "DEADLINE_EXCEEDED",
                         "the job's deadline passed before it was finished");
}

v1::Ended EndedBy(const absl::Status& status) {
  v1::Ended ended;
  ended.set_state(StateBy(status));
  if (!status.ok()) *ended.mutable_status() = ToRpcStatus(status);
  return ended;
}

absl::Status StatusOf(const v1::Ended& ended) {
  if (ended.state() == v1::JOB_STATE_SUCCEEDED) return absl::OkStatus();
  return FromRpcStatus(ended.status());
}

}  // namespace genzo
