// Any bytes as the pickle of a torch file: tensors that are accepted lie within
// their storages.

#include <cstdint>
#include <cstdlib>

#include "worker/weights/torch_file/unpickler.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensors =
      genzo::ReadPickledTensors({reinterpret_cast<const char*>(data), size});
  if (!tensors.ok()) return 0;
  for (const auto& [name, tensor] : *tensors) {
    int64_t last = tensor.offset;
    bool empty = false;
    for (size_t i = 0; i < tensor.shape.size(); ++i) {
      empty = empty || tensor.shape[i] == 0;
      last += (tensor.shape[i] - 1) * tensor.strides[i];
    }
    if (!empty && last >= tensor.storage_elements) std::abort();
  }
  return 0;
}
