#ifndef GENZO_WORKER_WEIGHTS_SAFETENSORS_WRITER_H_
#define GENZO_WORKER_WEIGHTS_SAFETENSORS_WRITER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

struct WriteOptions {
  // What floating point tensors become; else as they are.
  std::optional<at::ScalarType> dtype = {};
  // Whether the floating point tensor of that name keeps its type whatever
  // `dtype` says; may be empty.
  std::function<bool(const std::string& name)> keeps_type = {};
  std::map<std::string, std::string> metadata = {};
  // Hears of bytes that were written, now and then; may be empty.
  std::function<void(int64_t bytes)> progress = {};
};

// Bytes of the tensors of `source` when they are written so.
int64_t WrittenBytes(const TensorSource& source, const WriteOptions& options);

// Writes a safetensors file of all tensors of `source`, one in memory at a
// time. The file appears under its name when it is whole. What Read() says, or
// UNAVAILABLE naming the path if it cannot be written.
absl::Status WriteSafetensors(const std::string& path,
                              const TensorSource& source,
                              const WriteOptions& options);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SAFETENSORS_WRITER_H_
