#ifndef GENZO_WORKER_WEIGHTS_SAFETENSORS_H_
#define GENZO_WORKER_WEIGHTS_SAFETENSORS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "worker/weights/regular_file.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// What the header of a safetensors file says.
struct SafetensorsHeader {
  std::map<std::string, TensorEntry> entries;
  std::map<std::string, std::string> metadata;  // "__metadata__"
};

// Reads the header of a safetensors file whose first bytes are `head`: an
// 8-byte little-endian length, then that many bytes of JSON. `head` must hold
// the whole header; `file_bytes` is the size of the file. Checks everything
// that the format promises: length within the file and 16 MiB, one object
// without duplicate keys, known dtypes, at most 8 dimensions whose product fits
// the offsets, and tensors that cover the data without holes or overlaps.
// INVALID_ARGUMENT names the tensor. Safe on arbitrary bytes.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view head,
                                                         size_t file_bytes);

// A safetensors file, of which only the header is kept in memory.
class SafetensorsFile : public TensorSource {
 public:
  // NOT_FOUND if there is no such file, INVALID_ARGUMENT if it is not sound,
  // DATA_LOSS if it shrinks meanwhile; all name the path.
  static absl::StatusOr<std::shared_ptr<const SafetensorsFile>> Open(
      const std::string& path);

  const std::map<std::string, TensorEntry>& entries() const override {
    return header_.entries;
  }
  const std::map<std::string, std::string>& metadata() const override {
    return header_.metadata;
  }
  using TensorSource::Read;
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::string& path() const override { return file_->path(); }

 private:
  explicit SafetensorsFile(std::unique_ptr<const RegularFile> file)
      : file_(std::move(file)) {}
  // Fills `to`, of the type that is wanted, with what is stored as `dtype` from
  // `begin_bytes` on.
  absl::Status Fill(at::ScalarType dtype, size_t begin_bytes,
                    bool must_be_finite, const at::Tensor& to) const;

  const std::unique_ptr<const RegularFile> file_;
  size_t data_begin_ = 0;
  SafetensorsHeader header_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SAFETENSORS_H_
