#ifndef GENZO_GATEWAY_MCP_H_
#define GENZO_GATEWAY_MCP_H_

#include <vector>

#include "gateway/backend.h"
#include "gateway/mcp_calls.h"
#include "gateway/model_names.h"
#include "gateway/router.h"
#include "nlohmann/json.hpp"

namespace genzo {

// A server of the Model Context Protocol (streamable HTTP) at /mcp, with the
// tools generate_image, edit_image, upscale_image, score_images, get_job and
// list_models. A call that names a progress token is answered with a stream of
// progress, if its client accepts one. Calls end early by
// notifications/cancelled; jobs outlive the connection. Version 2025-03-26 has
// batches of messages, and no other. Everything in it outlives its calls.
// Thread-safe.
class Mcp {
 public:
  Mcp(Backend& backend, const ModelNames& names)
      : backend_(backend), names_(names) {}

  std::vector<Route> routes();

 private:
  void Handle(HttpRequest request, const HttpExchangeRef& exchange);
  void HandleBatch(const nlohmann::json& messages, HttpRequest request,
                   const HttpExchangeRef& exchange);
  // One message; `request` has its headers.
  void HandleMessage(const nlohmann::json& message, const HttpRequest& request,
                     const HttpExchangeRef& exchange);
  void CallTool(const nlohmann::json& id, const nlohmann::json& parameters,
                const HttpRequest& request, const HttpExchangeRef& exchange);

  static McpCalls::Key KeyOf(const HttpRequest& request,
                             const nlohmann::json& id);

  Backend& backend_;
  const ModelNames& names_;
  McpCalls calls_;
};

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_H_
