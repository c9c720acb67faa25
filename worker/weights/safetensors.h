#ifndef GENZO_WORKER_WEIGHTS_SAFETENSORS_H_
#define GENZO_WORKER_WEIGHTS_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"

namespace genzo {

// Where one tensor lies in a file.
struct TensorEntry {
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  size_t begin_bytes;  // from the end of the header
  size_t size_bytes;

  int64_t elements() const {
    return static_cast<int64_t>(size_bytes / c10::elementSize(dtype));
  }
};

// Reads the header of a safetensors file whose first bytes are `head`: an
// 8-byte little-endian length, then that many bytes of JSON. `head` must hold
// the whole header; `file_bytes` is the size of the file. Checks everything
// that the format promises: length within the file and 16 MiB, one object
// without duplicate keys, known dtypes, at most 8 dimensions whose product fits
// the offsets, and tensors that cover the data without holes or overlaps.
// INVALID_ARGUMENT names the tensor. Safe on arbitrary bytes.
absl::StatusOr<std::map<std::string, TensorEntry>> ParseSafetensorsHeader(
    std::string_view head, size_t file_bytes);

// A memory-mapped safetensors file. Immutable; its tensors keep it alive.
class SafetensorsFile : public std::enable_shared_from_this<SafetensorsFile> {
 public:
  // NOT_FOUND if there is no such file, INVALID_ARGUMENT if it is not sound;
  // both name the path.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::string& path);
  ~SafetensorsFile();

  const std::string& path() const { return path_; }
  const std::map<std::string, TensorEntry>& entries() const { return entries_; }

  // The named tensor as stored, on the CPU, sharing the mapped memory. Must not
  // be written to. NOT_FOUND if there is no such name.
  absl::StatusOr<at::Tensor> Read(const std::string& name) const;

 private:
  SafetensorsFile() = default;

  std::string path_;
  const char* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  size_t data_begin_ = 0;
  std::map<std::string, TensorEntry> entries_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SAFETENSORS_H_
