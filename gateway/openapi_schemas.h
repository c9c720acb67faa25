#ifndef GENZO_GATEWAY_OPENAPI_SCHEMAS_H_
#define GENZO_GATEWAY_OPENAPI_SCHEMAS_H_

#include <string>

#include "nlohmann/json.hpp"

// What bodies look like that are not the proto's messages. All functions are
// pure.

namespace genzo {

// What a POST of the web UI takes at `path`: of pictures the main fields, of
// anything else any object.
nlohmann::json WebUiSchema(const std::string& path);
// The schemas that those of OpenAI refer to; the others' are the proto's.
nlohmann::json OpenAiSchemas();

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAPI_SCHEMAS_H_
