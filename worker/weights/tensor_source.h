#ifndef GENZO_WORKER_WEIGHTS_TENSOR_SOURCE_H_
#define GENZO_WORKER_WEIGHTS_TENSOR_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace genzo {

// One tensor of a source, known without reading it.
struct TensorEntry {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  size_t begin_bytes;  // in its file, from the end of the header
  size_t size_bytes;

  int64_t elements() const {
    return static_cast<int64_t>(size_bytes / c10::elementSize(dtype));
  }
};

// How a tensor is to be read.
struct ReadOptions {
  std::optional<at::ScalarType> dtype;  // that it is cast to; else as stored
  bool must_be_finite = false;          // after the cast
};

// Named tensors, wherever they lie: in one file, in shards, under other names.
// Making one reads headers alone; it may be asked for sizes and thrown away.
// Immutable; any thread may read.
class TensorSource {
 public:
  virtual ~TensorSource() = default;

  virtual const std::map<std::string, TensorEntry>& entries() const = 0;

  // The tensor in contiguous memory of its own on the CPU. Errors name file and
  // tensor: NOT_FOUND if there is none of that name, INVALID_ARGUMENT if a
  // value is not finite though it must be, DATA_LOSS if the file has changed
  // since it was opened so that the tensor is no longer there.
  virtual absl::StatusOr<at::Tensor> Read(const std::string& name,
                                          const ReadOptions& options) const = 0;
  absl::StatusOr<at::Tensor> Read(const std::string& name) const {
    return Read(name, ReadOptions());
  }

  // What messages call the source: the path of its file or its index.
  virtual const std::string& path() const = 0;

 protected:
  // What Read() says of a name that is not in entries().
  absl::Status Missing(const std::string& name) const {
    return absl::NotFoundError(
        absl::StrCat(path(), ": tensor \"", name, "\" is missing"));
  }
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TENSOR_SOURCE_H_
