#ifndef GENZO_GATEWAY_MCP_ARGUMENTS_H_
#define GENZO_GATEWAY_MCP_ARGUMENTS_H_

#include <string>

#include "absl/status/statusor.h"
#include "gateway/model_names.h"
#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/scoring.pb.h"
#include "genzo/v1/upscaling.pb.h"
#include "nlohmann/json.hpp"

// What the tools of MCP take.

namespace genzo {

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

// The schemas of those arguments, by their names.
nlohmann::json McpPaintArguments();
nlohmann::json McpEditArguments();
nlohmann::json McpUpscaleArguments();
nlohmann::json McpScoreArguments();
nlohmann::json McpJobArguments();

}  // namespace genzo

#endif  // GENZO_GATEWAY_MCP_ARGUMENTS_H_
