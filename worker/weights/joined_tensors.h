#ifndef GENZO_WORKER_WEIGHTS_JOINED_TENSORS_H_
#define GENZO_WORKER_WEIGHTS_JOINED_TENSORS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/weights/tensor_source.h"

namespace genzo {

// The tensors of several sources as those of one.
class JoinedTensors : public TensorSource {
 public:
  // `path` is what messages call the whole. INVALID_ARGUMENT names a tensor
  // that two sources have.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Create(
      std::string path,
      std::vector<std::shared_ptr<const TensorSource>> sources);

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  using TensorSource::Read;
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::string& path() const override { return path_; }

 private:
  explicit JoinedTensors(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, std::shared_ptr<const TensorSource>> source_of_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_JOINED_TENSORS_H_
