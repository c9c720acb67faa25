#ifndef GENZO_GATEWAY_MCP_TOOLS_H_
#define GENZO_GATEWAY_MCP_TOOLS_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "gateway/json_body.h"
#include "gateway/model_names.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/scoring.pb.h"
#include "genzo/v1/upscaling.pb.h"
#include "nlohmann/json.hpp"

// What the tools of MCP take.

namespace genzo {

// What their arguments are called in violations of the service.
using NameList = std::vector<std::pair<absl::string_view, absl::string_view>>;
const NameList& McpNames();

// Read the arguments of the tools. INVALID_ARGUMENT/INVALID_FIELD in the tools'
// own words. Pure.
absl::StatusOr<v1::GenerateRequest> ReadMcpPaint(
    const nlohmann::json& arguments, bool is_edit, const ModelNames& names);
absl::StatusOr<v1::UpscaleRequest> ReadMcpUpscale(
    const nlohmann::json& arguments);
absl::StatusOr<v1::ScoreRequest> ReadMcpScore(const nlohmann::json& arguments,
                                              const ModelNames& names);
// The id of get_job.
absl::StatusOr<std::string> ReadMcpJob(const nlohmann::json& arguments);
// Of tools that take nothing.
absl::Status ReadMcpNothing(const nlohmann::json& arguments);

// The tools with the schemas of their arguments, as tools/list tells them.
nlohmann::json McpTools();

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_TOOLS_H_
