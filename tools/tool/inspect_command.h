#ifndef GENZO_TOOLS_TOOL_INSPECT_COMMAND_H_
#define GENZO_TOOLS_TOOL_INSPECT_COMMAND_H_

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace genzo {

// `genzo-tool inspect FILE`: prints what a model consists of. `result` is set
// when it has run and outlives the app.
void AddInspectCommand(CLI::App& app, absl::Status& result);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_INSPECT_COMMAND_H_
