#ifndef GENZO_WORKER_WEIGHTS_TORCH_FILE_UNPICKLER_H_
#define GENZO_WORKER_WEIGHTS_TORCH_FILE_UNPICKLER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "ATen/core/ScalarType.h"
#include "absl/status/statusor.h"

namespace genzo {

// A tensor as a pickle of torch.save() describes it: a view of a storage, which
// lies beside the pickle under a key.
struct PickledTensor {
  std::string storage_key;  // "17"
  at::ScalarType dtype;
  int64_t storage_elements;
  int64_t offset;  // elements
  std::vector<int64_t> shape;
  std::vector<int64_t> strides;  // elements
};

// Reads what torch.save() makes of a dictionary of tensors, and nothing else.
// A pickle is a program; of its instructions this knows those that build
// dictionaries, lists, tuples, numbers and texts, and of all the functions that
// it may call those that make a tensor of a storage. INVALID_ARGUMENT names any
// other instruction or function, with its place. Runs nothing, opens nothing;
// takes time and memory in proportion to `pickle`. Safe on arbitrary bytes.
//
// Dictionaries in dictionaries become names with dots; a "state_dict" at the
// top is what the file is about, and what lies beside it is left out. Values
// that are no tensors are left out.
absl::StatusOr<std::map<std::string, PickledTensor>> ReadPickledTensors(
    std::string_view pickle);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TORCH_FILE_UNPICKLER_H_
