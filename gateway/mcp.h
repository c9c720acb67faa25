#ifndef GENZO_GATEWAY_MCP_H_
#define GENZO_GATEWAY_MCP_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/model_names.h"
#include "gateway/router.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A server of the Model Context Protocol (streamable HTTP, without sessions) at
// /mcp, with the tools generate_image, edit_image, upscale_image, score_images,
// get_job and list_models. A call that names a progress token is answered with
// a stream of progress, if its client accepts one. Everything in it outlives
// its calls. Thread-safe.
class Mcp {
 public:
  Mcp(Backend& backend, const ModelNames& names)
      : backend_(backend), names_(names) {}

  std::vector<Route> routes();

 private:
  void Handle(const HttpRequest& request, const HttpExchangeRef& exchange);
  void CallTool(const nlohmann::json& message, const HttpRequest& request,
                const HttpExchangeRef& exchange);

  Backend& backend_;
  const ModelNames& names_;
};

// Read the arguments of the tools. INVALID_ARGUMENT/INVALID_FIELD in the tools'
// own words. Pure.
absl::StatusOr<v1::GenerateRequest> ReadMcpPaint(
    const nlohmann::json& arguments, bool is_edit, const ModelNames& names);
absl::StatusOr<v1::UpscaleRequest> ReadMcpUpscale(
    const nlohmann::json& arguments);
absl::StatusOr<v1::ScoreRequest> ReadMcpScore(const nlohmann::json& arguments,
                                              const ModelNames& names);

// The tools with the schemas of their arguments, as tools/list tells them.
nlohmann::json McpTools();

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_H_
