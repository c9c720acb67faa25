#ifndef GENZO_TOOLS_TOOL_CONVERSION_H_
#define GENZO_TOOLS_TOOL_CONVERSION_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/model_files.h"
#include "tools/tool/one_file.h"
#include "worker/weights/model_index.h"
#include "worker/weights/safetensors_writer.h"

namespace genzo {

// Whether a model may be written to `output`: ALREADY_EXISTS for a file and for
// a folder that is not empty, which stay, INVALID_ARGUMENT for a folder that is
// called as files are.
absl::Status CheckTarget(const std::string& output);

// A model on its way to `output`: a single file under the names of the original
// code if that ends with ".safetensors", else a folder in the diffusers layout,
// with its settings, small decoder and refiner.
class Conversion {
 public:
  // Reads heads and small files alone. Errors of CheckTarget(); UNIMPLEMENTED
  // for a family that has no original names here.
  static absl::StatusOr<Conversion> Plan(const ModelFiles& model,
                                         const std::string& output);

  // What the model has and a single file has no place for, so that it will not
  // be in it: "genzo.json", "tiny_vae", and what LostSettings() names. None of
  // a folder, which has all.
  const std::vector<std::string>& left_out() const { return left_out_; }

  // Of tensors, which `options.progress` will hear of.
  int64_t TotalBytes(const WriteOptions& options) const;

  // Types are kept unless `options` say another; but where a file becomes a
  // folder, or a folder a file, float8 tensors with scales become float32.
  absl::Status Write(const WriteOptions& options) const;

 private:
  Conversion() = default;

  // Scales stay beside their float8 tensors where types are kept.
  absl::StatusOr<std::shared_ptr<const TensorSource>> OpenForFile(
      const WriteOptions& options) const;

  std::string output_;
  std::string file_;               // from file to file: it; else empty
  ModelIndex index_;               // else
  std::optional<OneFile> joined_;  // of it; none: it becomes a folder
  std::vector<std::string> left_out_;
};

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_CONVERSION_H_
