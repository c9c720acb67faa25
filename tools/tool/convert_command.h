#ifndef GENZO_TOOLS_TOOL_CONVERT_COMMAND_H_
#define GENZO_TOOLS_TOOL_CONVERT_COMMAND_H_

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace genzo {

// `genzo-tool convert FROM TO`: rewrites a model in another layout or type.
// Pickles are read by a child process that may open nothing else and allocate
// no more than it needs. `result` is set when it has run and outlives the app.
void AddConvertCommand(CLI::App& app, absl::Status& result);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_CONVERT_COMMAND_H_
