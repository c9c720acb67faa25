#ifndef GENZO_GATEWAY_PROTO_SCHEMAS_H_
#define GENZO_GATEWAY_PROTO_SCHEMAS_H_

#include "google/protobuf/descriptor.h"
#include "nlohmann/json.hpp"

// What messages of the proto look like as JSON, for those who ask a door what
// it takes. All functions are pure.

namespace genzo {

// Schemas (OpenAPI 3.1) of `message` and all that it holds, added to `schemas`
// under the names of the messages.
void AddSchemas(const google::protobuf::Descriptor& message,
                nlohmann::json& schemas);

// The same of `message` alone, whole, with nothing to look up elsewhere, as the
// doors of OpenAI and MCP read it: enums are their words, numbers are numbers.
// Not for messages that hold themselves.
nlohmann::json WholeSchema(const google::protobuf::Descriptor& message);

// Tells what is inside of those objects among `schemas` that are a message in
// the field of `message` that has their name; their descriptions stay.
void OpenObjects(const google::protobuf::Descriptor& message,
                 nlohmann::json& schemas);

}  // namespace genzo

#endif  // GENZO_GATEWAY_PROTO_SCHEMAS_H_
