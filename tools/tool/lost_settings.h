#ifndef GENZO_TOOLS_TOOL_LOST_SETTINGS_H_
#define GENZO_TOOLS_TOOL_LOST_SETTINGS_H_

#include <string>
#include <vector>

#include "worker/weights/model_index.h"

namespace genzo {

// What a folder's small files say that a reader of its single file would not
// know, by file and keys: "scheduler/scheduler_config.json (beta_end,
// timestep_spacing)". Such a reader takes the family's, and what OneFile's
// metadata say. Nothing of a folder that goes into no single file.
std::vector<std::string> LostSettings(const ModelIndex& index);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_LOST_SETTINGS_H_
