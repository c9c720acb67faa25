#ifndef GENZO_TOOLS_TOOL_UNPICKLE_PROCESS_H_
#define GENZO_TOOLS_TOOL_UNPICKLE_PROCESS_H_

#include <string>

#include "absl/status/status.h"

namespace genzo {

// Whether a file of that name is a pickle: .ckpt, .pt, .pth, .bin.
bool IsPickle(const std::string& path);

// Writes the tensors of the pickle at `path` to the safetensors file `output`.
// A child of this process reads it, with limits on its memory, the file that it
// writes and its time, and no way to start another program; a fault of any kind
// ends the child alone. INVALID_ARGUMENT: what TorchFile::Open says, or the
// signal that ended the child. Call it before there are other threads.
absl::Status UnpickleInChild(const std::string& path,
                             const std::string& output);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_UNPICKLE_PROCESS_H_
