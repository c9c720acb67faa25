#ifndef GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_
#define GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_

#include <string>
#include <vector>

#include "worker/weights/component_files.h"

namespace genzo {

// What loading would find wrong with the names and shapes of a component's
// tensors: `tensor "conv_in.weight" is missing`. As the network of its
// config.json asks for them, or why that makes no network; no byte of a tensor
// is read. Nothing of a class that is not known here, or without a
// configuration that can be read.
std::vector<std::string> FaultyTensors(const std::string& class_name,
                                       const ComponentFiles& files);

}  // namespace genzo

#endif  // GENZO_TOOLS_TOOL_FAULTY_TENSORS_H_
