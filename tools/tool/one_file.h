#ifndef GENZO_TOOLS_TOOL_ONE_FILE_H_
#define GENZO_TOOLS_TOOL_ONE_FILE_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/model_index.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// Looks at finished pictures and draws nothing.
inline constexpr char kSafetyChecker[] = "safety_checker";

// What a folder is as a single file: its tensors under original names, of which
// nothing has been read, and what its small files say that such a file has no
// other place for, as ReadSingleFile() reads it.
struct OneFile {
  std::string family;  // "sdxl"
  std::shared_ptr<const TensorSource> tensors;
  std::map<std::string, std::string> metadata;
};

// UNIMPLEMENTED for a family or a scheduler that has no place there; other
// errors name the file that is at fault.
absl::StatusOr<OneFile> InOneFile(const ModelIndex& index);

// Whether a component of the class has tensors: tokenizers, schedulers and what
// prepares pictures are texts alone.
bool HasTensors(const std::string& class_name);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_ONE_FILE_H_
