#ifndef GENZO_TOOLS_TOOL_CONVERSION_H_
#define GENZO_TOOLS_TOOL_CONVERSION_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/model_files.h"
#include "worker/weights/safetensors_writer.h"

namespace genzo {

// Whether a model may be written to `output`: ALREADY_EXISTS for a file and for
// a folder that is not empty, which stay, INVALID_ARGUMENT for a folder that is
// called as files are.
absl::Status CheckTarget(const std::string& output);

// What `model` has and a single file at `output` has no place for, so that it
// will not be in it: "genzo.json", "tiny_vae", and what LostSettings() names.
// None of a folder, which has all.
absl::StatusOr<std::vector<std::string>> LeftOut(const ModelFiles& model,
                                                 const std::string& output);

// Writes `model`, a single file or a folder, to `output`: a single file under
// the names of the original code if that ends with ".safetensors", else a
// folder in the diffusers layout, with its settings, small decoder and refiner.
// Types are kept unless `options` say another; but where a file becomes a
// folder, or a folder a file, float8 tensors with scales become float32.
// `options.progress` hears of all bytes,
// `total` first of how many there will be. Errors of CheckTarget();
// UNIMPLEMENTED for a family that has no original names here.
absl::Status ConvertModel(const ModelFiles& model, const std::string& output,
                          const WriteOptions& options,
                          const std::function<void(int64_t bytes)>& total);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_CONVERSION_H_
