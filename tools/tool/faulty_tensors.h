#ifndef GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_
#define GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_

#include <string>
#include <vector>

#include "worker/weights/component_files.h"

namespace genzo {

// A component's tensors beside those that the network of its config.json asks
// for, by name and shape.
struct TensorFaults {
  // What loading would miss: `tensor "conv_in.weight" is missing`; or why the
  // configuration makes no network.
  std::vector<std::string> faults;
  std::vector<std::string> surplus;  // names that the network does not ask for
};

// Reads no byte of a tensor. Nothing of a class that is not known here, or
// without a configuration that can be read. What a class of U-Nets is depends
// on the pipeline: latent upscalers have another under the same name.
TensorFaults FaultyTensors(const std::string& pipeline_class,
                           const std::string& class_name,
                           const ComponentFiles& files);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_
