#ifndef GENZO_TESTS_WORKER_WEIGHTS_TENSOR_FILES_H_
#define GENZO_TESTS_WORKER_WEIGHTS_TENSOR_FILES_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "nlohmann/json.hpp"

namespace genzo {

// The bytes of a safetensors file of `header` and `data_bytes` zeros.
inline std::string TensorFile(const std::string& header, size_t data_bytes) {
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) {
    length[i] = static_cast<char>(header.size() >> (8 * i));
  }
  return length + header + std::string(data_bytes, '\0');
}

// The same of float32 vectors, in this order.
inline std::string FloatFile(
    const std::vector<std::pair<std::string, std::vector<float>>>& tensors) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, values] : tensors) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(values.data()),
                values.size() * sizeof(float));
    header[name] = {{"dtype", "F32"},
                    {"shape", {values.size()}},
                    {"data_offsets", {begin, data.size()}}};
  }
  return TensorFile(header.dump(), 0) + data;
}

}  // namespace genzo

#endif  // GENZO_TESTS_WORKER_WEIGHTS_TENSOR_FILES_H_
