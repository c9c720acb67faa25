#ifndef GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_
#define GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/weights/weights.h"

namespace genzo {

// A model folder in the diffusers layout: model_index.json names a pipeline
// class and, for each component, its class; the component lies in a folder of
// its name with its own configuration and weights.
struct ModelIndex {
  std::string folder;
  std::string pipeline_class;                     // "StableDiffusionPipeline"
  std::map<std::string, std::string> components;  // "unet" -> its class

  // Folder of `component`. NOT_FOUND naming it if the index or the disk lacks
  // it; INVALID_ARGUMENT if its class is not `expected_class`.
  absl::StatusOr<std::string> Component(
      const std::string& component, const std::string& expected_class) const;
};

// Reads FOLDER/model_index.json. NOT_FOUND or INVALID_ARGUMENT naming the file.
absl::StatusOr<ModelIndex> ReadModelIndex(const std::string& folder);

// The tensors of a component, whatever of the usual names its file or, for
// shards, its index has: one file before shards, full precision before fp16.
// Reads headers alone, so it also tells sizes. NOT_FOUND names the folder and,
// if there are only pickled weights, says that those are not read.
absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensors(
    const std::string& component_folder);

// The same, to build modules from.
absl::StatusOr<Weights> OpenWeights(const std::string& component_folder,
                                    at::ScalarType dtype, at::Device device);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_COMPONENT_FOLDER_H_
