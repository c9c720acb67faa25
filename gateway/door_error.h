#ifndef GENZO_GATEWAY_DOOR_ERROR_H_
#define GENZO_GATEWAY_DOOR_ERROR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/errors.h"
#include "gateway/http.h"
#include "grpcpp/support/status.h"
#include "nlohmann/json.hpp"

// Errors as each kind of client expects them. All functions are pure.

namespace genzo {

// What kind of client a path is for.
enum class DoorKind { kOpenAi, kA1111, kJobs, kMcp };
DoorKind DoorOf(absl::string_view path);

// A call's status with the details that it carries.
absl::Status FromGrpcStatus(const grpc::Status& status);

// The violations in `status`'s BadRequest; empty if it has none.
std::vector<FieldViolation> ViolationsIn(const absl::Status& status);

// The field that `status` is of: that of its first violation, or the one that
// its ErrorInfo names as `field`, or the one that its reason is always of, as
// MODEL_NOT_FOUND is of "model"; else "".
std::string FieldOf(const absl::Status& status);
// `status` with `field` in its ErrorInfo.
absl::Status WithField(const absl::Status& status, const std::string& field);

// INVALID_ARGUMENT/INVALID_FIELD for what the service cannot do so far: `field`
// "mask", `what` "inpainting".
absl::Status NotYet(const std::string& field, const std::string& what);

// 400 for INVALID_ARGUMENT, 429 with Retry-After and x-ratelimit-* for
// RESOURCE_EXHAUSTED with a retry hint, and so on.
int HttpStatusOf(const absl::Status& status);
// The whole answer in the shape of the door.
HttpResponse ErrorResponse(DoorKind door, const absl::Status& status);
// As above, for faults of HTTP itself: 404, 405, 413, 415.
HttpResponse ErrorResponse(DoorKind door, int http_status,
                           const std::string& message);

// The object of OpenAI's `error`, for answers and streams.
nlohmann::json OpenAiError(const absl::Status& status);
// google.rpc.Status in JSON, with its details named.
nlohmann::json RpcError(const absl::Status& status);

// JSON as it is sent: bytes that are not UTF-8 become U+FFFD.
std::string Dump(const nlohmann::json& value);

}  // namespace genzo

#endif  // GENZO_GATEWAY_DOOR_ERROR_H_
