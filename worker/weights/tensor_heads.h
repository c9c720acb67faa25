#ifndef GENZO_WORKER_WEIGHTS_TENSOR_HEADS_H_
#define GENZO_WORKER_WEIGHTS_TENSOR_HEADS_H_

#include <memory>

#include "worker/weights/tensor_source.h"

namespace genzo {

// Another source's names and shapes without its values: has_values() is false,
// and Read() is FAILED_PRECONDITION naming the tensor. Networks that are built
// of it know what they are, and can compute nothing.
std::shared_ptr<const TensorSource> HeadsOf(
    std::shared_ptr<const TensorSource> source);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TENSOR_HEADS_H_
