#ifndef GENZO_WORKER_WEIGHTS_SINGLE_FILE_EDM_FILE_H_
#define GENZO_WORKER_WEIGHTS_SINGLE_FILE_EDM_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "worker/weights/tensor_source.h"

namespace genzo {

// What a single file says of itself that was trained as EDM
// (arXiv:2206.00364).
struct EdmFile {
  nlohmann::json scheduler;  // its scheduler_config.json; null: it was not
  nlohmann::json vae = nlohmann::json::object();  // changes of the config.json
};

// Told by small tensors beside the weights: Playground 2.5's "edm_mean" and
// "edm_std", CosXL's "edm_vpred.sigma_max" and "edm_vpred.sigma_min"
// (references: diffusers' single_file_utils, its CosXL pipeline). Errors name
// file and tensor.
absl::StatusOr<EdmFile> ReadEdmFile(const TensorSource& source);

// Whether a tensor of that name is one of them: numbers, no weights.
bool IsEdmTensor(const std::string& name);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SINGLE_FILE_EDM_FILE_H_
