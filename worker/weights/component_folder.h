#ifndef GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_
#define GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/weights.h"

namespace genzo {

// The tensors of a component, whatever of the usual names its file or, for
// shards, its index has: one file before shards, full precision before fp16 and
// bf16. Float8 tensors that have scales get their true values.
// Reads headers alone, so it also tells sizes. NOT_FOUND names the folder and,
// if there are only pickled weights, says that those are not read.
absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensors(
    const std::string& component_folder);

// The same, to build modules from.
absl::StatusOr<Weights> OpenWeights(const std::string& component_folder,
                                    at::ScalarType dtype, at::Device device);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_
