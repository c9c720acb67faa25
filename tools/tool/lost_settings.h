#ifndef GENZO_TOOLS_TOOL_LOST_SETTINGS_H_
#define GENZO_TOOLS_TOOL_LOST_SETTINGS_H_

#include <string>
#include <vector>

#include "tools/tool/one_file.h"
#include "worker/weights/model_index.h"

namespace genzo {

// What a folder's small files say that a reader of its single file would not
// know, by file and keys: "scheduler/scheduler_config.json (beta_end,
// timestep_spacing)". Such a reader takes the family's, and what OneFile's
// metadata say. `file` is the folder as one.
std::vector<std::string> LostSettings(const ModelIndex& index,
                                      const OneFile& file);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_LOST_SETTINGS_H_
