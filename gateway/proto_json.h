#ifndef GENZO_GATEWAY_PROTO_JSON_H_
#define GENZO_GATEWAY_PROTO_JSON_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

// Messages of the proto as JSON, by protobuf's own mapping with the proto's
// names of fields. All functions are pure.

namespace genzo {

std::string ToJson(const google::protobuf::Message& message);

// Enums may be words, too, "karras" (enum_words.h). INVALID_ARGUMENT that names
// the first field that does not fit, its value and what is wanted
// ("request.steps -1 is not a whole number from 0 to 4294967295"), and for JSON
// that is too deep or no object.
absl::Status FromJson(absl::string_view text,
                      google::protobuf::Message& message);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PROTO_JSON_H_
