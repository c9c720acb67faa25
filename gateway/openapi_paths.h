#ifndef GENZO_GATEWAY_OPENAPI_PATHS_H_
#define GENZO_GATEWAY_OPENAPI_PATHS_H_

#include <string>

#include "nlohmann/json.hpp"

// The paths that the OpenAPI document tells of in detail. All functions are
// pure.

namespace genzo {

// `id` begins with the tag, "images_edit".
nlohmann::json Operation(const std::string& id, const std::string& summary,
                         const nlohmann::json& answers);
nlohmann::json WithBody(nlohmann::json operation, const std::string& type,
                        const nlohmann::json& schema);

// OpenAI's pictures and models, the jobs and the scores, by their paths.
nlohmann::json DescribedPaths();

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAPI_PATHS_H_
