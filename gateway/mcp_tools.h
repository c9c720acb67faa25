#ifndef GENZO_GATEWAY_MCP_TOOLS_H_
#define GENZO_GATEWAY_MCP_TOOLS_H_

#include "absl/strings/string_view.h"
#include "gateway/backend.h"
#include "gateway/mcp_answer.h"
#include "gateway/mcp_calls.h"
#include "gateway/model_names.h"
#include "nlohmann/json.hpp"

// The tools of MCP: generate_image and its kin, what they take and what they
// do.

namespace genzo {

// A call of one tool and what it needs.
struct McpToolCall {
  Backend& backend;
  const ModelNames& names;
  McpCalls& calls;
  const nlohmann::json& arguments;
  CallerKeys keys;
  McpCalls::Key key;  // by which it is cancelled
  McpAnswerRef answer;
};

// Runs the tool `name`, which answers by `call.answer`, now or later; false if
// there is none.
bool RunMcpTool(absl::string_view name, const McpToolCall& call);

// The tools with the schemas of their arguments, as tools/list tells them.
nlohmann::json McpTools();

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_TOOLS_H_
