#ifndef GENZO_BASE_ERRORS_H_
#define GENZO_BASE_ERRORS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "google/rpc/status.pb.h"

// Errors as clients see them: a code, a sentence that names field, value and
// limit, and google.rpc details (always ErrorInfo with domain "genzo"). The
// details ride on absl::Status as payloads, so every layer can pass them on.
// All functions are pure and thread-safe.

namespace genzo {

// One bad field of a request.
struct FieldViolation {
  std::string field;        // path as in JSON or protos, "preview.steps[2]"
  std::string description;  // "width 1000 is not a multiple of 8"
};

// More than these are not told.
inline constexpr int kMostViolations = 16;

// INVALID_ARGUMENT/INVALID_FIELD with the violations in a BadRequest: the first
// kMostViolations, or as many as trailers have room for. `violations` must not
// be empty.
absl::Status InvalidFieldsError(absl::Span<const FieldViolation> violations);

// What reading the file in `field` found: INVALID_ARGUMENT becomes a violation
// of the field, anything else stays as it is.
absl::Status FaultOfField(const std::string& field, const absl::Status& status);

// NOT_FOUND/MODEL_NOT_FOUND naming `id` and listing the known ids, if there are
// any.
absl::Status ModelNotFoundError(const std::string& id,
                                absl::Span<const std::string> known_ids);

// ALREADY_EXISTS/REQUEST_ID_IN_USE: `id` was used for another request.
absl::Status RequestIdInUseError(const std::string& id);

// Keys and values of an ErrorInfo.
using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// `code` with `reason` and a RetryInfo of `retry_after`.
absl::Status RetryLaterError(
    const std::string& reason, const std::string& message,
    absl::Duration retry_after, const ErrorMetadata& metadata = {},
    absl::StatusCode code = absl::StatusCode::kUnavailable);

// `code` with `reason`, and `metadata` in the ErrorInfo.
absl::Status ErrorWithReason(absl::StatusCode code, const std::string& reason,
                             const std::string& message,
                             const ErrorMetadata& metadata = {});

// RESOURCE_EXHAUSTED/QUOTA_EXCEEDED with a QuotaFailure of `key_id`, a
// RetryInfo of `retry_after`, and quota, limit and key in the ErrorInfo.
absl::Status QuotaError(const std::string& quota, const std::string& limit,
                        const std::string& key_id, const std::string& what,
                        absl::Duration retry_after);

// `status` as it is if it has a reason, else with `reason`.
absl::Status WithReason(const absl::Status& status, const std::string& reason);

// CANCELLED/CANCELLED: what becomes of a job that nobody wants any more.
absl::Status JobCancelledError();

// The reason in `status`'s ErrorInfo; empty if it has none.
std::string ErrorReason(const absl::Status& status);

// The RetryInfo in `status`; zero if it has none.
absl::Duration RetryAfter(const absl::Status& status);

// To and from the wire, details included. Bytes of the message that are not
// UTF-8 become U+FFFD: clients could not read it otherwise. A status without
// ErrorInfo gets one whose reason is the name of its code.
google::rpc::Status ToRpcStatus(const absl::Status& status);
absl::Status FromRpcStatus(const google::rpc::Status& status);

}  // namespace genzo

#endif  // GENZO_BASE_ERRORS_H_
