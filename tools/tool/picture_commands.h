#ifndef GENZO_TOOLS_TOOL_PICTURE_COMMANDS_H_
#define GENZO_TOOLS_TOOL_PICTURE_COMMANDS_H_

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace genzo {

// `genzo-tool read FILE`: prints what is in a picture and the command that
// paints it again. `genzo-tool score FILE...`: scores pictures by a CLIP
// folder, a head over it, or a safety checker, without a server. `result` is
// set when one has run and outlives the app.
void AddPictureCommands(CLI::App& app, absl::Status& result);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_PICTURE_COMMANDS_H_
