#ifndef GENZO_GATEWAY_PROTO_JSON_H_
#define GENZO_GATEWAY_PROTO_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"
#include "nlohmann/json.hpp"

// Messages of the proto as JSON, by protobuf's own mapping with the proto's
// names of fields. All functions are pure.

namespace genzo {

std::string ToJson(const google::protobuf::Message& message);

// INVALID_ARGUMENT that names the first field that does not fit, its value and
// what is wanted ("request.steps -1 is not a whole number from 0 to
// 4294967295"), and for JSON that is too deep or no object.
absl::Status FromJson(absl::string_view text,
                      google::protobuf::Message& message);

// Schemas (OpenAPI 3.1) of `message` and all that it holds, added to `schemas`
// under the names of the messages.
void AddSchemas(const google::protobuf::Descriptor& message,
                nlohmann::json& schemas);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PROTO_JSON_H_
