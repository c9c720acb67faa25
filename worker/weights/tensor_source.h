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
  // Its type in the file, where a view makes another of it.
  std::optional<at::ScalarType> stored_dtype = {};

  int64_t elements() const {
    return static_cast<int64_t>(size_bytes / c10::elementSize(dtype));
  }
};

// Rows of a tensor: places along its first dimension.
struct RowRange {
  int64_t begin;
  int64_t count;
};

// How a tensor is to be read.
struct ReadOptions {
  std::optional<at::ScalarType> dtype;  // that it is cast to; else as stored
  bool must_be_finite = false;          // after the cast
  std::optional<RowRange> rows = {};    // these alone; else all
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
  // value is not finite though it must be or a row is not one of the tensor's,
  // DATA_LOSS if the file has changed since it was opened so that the tensor is
  // no longer there.
  virtual absl::StatusOr<at::Tensor> Read(const std::string& name,
                                          const ReadOptions& options) const = 0;
  absl::StatusOr<at::Tensor> Read(const std::string& name) const {
    return Read(name, ReadOptions());
  }

  // What its author wrote beside the tensors.
  virtual const std::map<std::string, std::string>& metadata() const {
    static const auto* const none = new std::map<std::string, std::string>();
    return *none;
  }

  // False: names and shapes are all there is, see HeadsOf().
  virtual bool has_values() const { return true; }

  // What messages call the source: the path of its file or its index.
  virtual const std::string& path() const = 0;

 protected:
  // What Read() says of a name that is not in entries().
  absl::Status Missing(const std::string& name) const {
    return absl::NotFoundError(
        absl::StrCat(path(), ": tensor \"", name, "\" is missing"));
  }
  // What Read() says of `rows` that the tensor does not have; else OK.
  absl::Status CheckRows(const std::string& name, const TensorEntry& entry,
                         const std::optional<RowRange>& rows) const {
    if (!rows.has_value()) return absl::OkStatus();
    const int64_t all = entry.shape.empty() ? 0 : entry.shape[0];
    if (rows->begin >= 0 && rows->count >= 0 && rows->begin <= all &&
        rows->count <= all - rows->begin) {
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        absl::StrCat(path(), ": tensor \"", name, "\" has ", all, " rows, not ",
                     rows->count, " from ", rows->begin));
  }
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TENSOR_SOURCE_H_
