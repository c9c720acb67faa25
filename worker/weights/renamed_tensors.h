#ifndef GENZO_WORKER_WEIGHTS_RENAMED_TENSORS_H_
#define GENZO_WORKER_WEIGHTS_RENAMED_TENSORS_H_

#include <map>
#include <memory>
#include <string>

#include "worker/weights/tensor_source.h"

namespace genzo {

// Full names in a file and what they are called here.
using RenameTable = std::map<std::string, std::string>;

// Another source's tensors, those of the table under their new names. Names
// that the table does not have stay; rows whose old name is nowhere do nothing.
// With {"query": "to_q"}, tensors "query" and "key" are "to_q" and "key".
class RenamedTensors : public TensorSource {
 public:
  // INVALID_ARGUMENT naming both if two tensors would have one name.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Create(
      std::shared_ptr<const TensorSource> source, const RenameTable& table);

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  // Messages have the names in the file.
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::map<std::string, std::string>& metadata() const override {
    return source_->metadata();
  }
  bool has_values() const override { return source_->has_values(); }
  const std::string& path() const override { return source_->path(); }

 private:
  explicit RenamedTensors(std::shared_ptr<const TensorSource> source)
      : source_(std::move(source)) {}

  const std::shared_ptr<const TensorSource> source_;
  std::map<std::string, TensorEntry> entries_;       // by new name
  std::map<std::string, std::string> name_in_file_;  // by new name
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_RENAMED_TENSORS_H_
