#ifndef GENZO_GATEWAY_OPENAPI_H_
#define GENZO_GATEWAY_OPENAPI_H_

#include <string>
#include <vector>

#include "gateway/router.h"

namespace genzo {

// The OpenAPI document of a door with these routes, for GET /openapi.json.
// Schemas of jobs are made from the proto. What other projects describe, the
// web UI's paths and MCP's, is listed with few of its fields or none.
std::string OpenApiDocument(const std::vector<Route>& routes);

}  // namespace genzo

#endif  // GENZO_GATEWAY_OPENAPI_H_
