#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_CONTROL_FILE_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_CONTROL_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/component_files.h"

namespace genzo {

// A control network on disk, of which headers alone have been read.
struct ControlFile {
  std::string class_name;  // "ControlNetModel" or "FluxControlNetModel"
  ComponentFiles files;    // config.json and tensors under diffusers' names
};

// Opens a folder with config.json and weights, or a safetensors file: in
// diffusers' names, or in those of the original code (control_model.*), whose
// configuration follows from names and shapes unless NAME.json stands beside
// NAME.safetensors. NOT_FOUND, INVALID_ARGUMENT or UNIMPLEMENTED name the file
// and what is wrong.
absl::StatusOr<ControlFile> OpenControlFile(const std::string& path);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_CONTROL_FILE_H_
