#ifndef GENZO_WORKER_WEIGHTS_SHARDED_TENSORS_H_
#define GENZO_WORKER_WEIGHTS_SHARDED_TENSORS_H_

#include <map>
#include <memory>
#include <string>

#include "worker/weights/safetensors.h"

namespace genzo {

// Tensors over several safetensors files beside an index, as transformers and
// diffusers write large models: {"weight_map": {"a.weight":
// "model-00001-of-00002.safetensors", ...}}. Has the tensors that the map
// names.
class ShardedTensors : public TensorSource {
 public:
  // Opens all shards of `index_path`. INVALID_ARGUMENT or NOT_FOUND name index
  // and tensor or shard: a map that is none, a shard that is missing, unsound
  // or not a plain file name, a tensor that is not in the shard that it should
  // be in.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Open(
      const std::string& index_path);

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::string& path() const override { return path_; }

 private:
  explicit ShardedTensors(std::string path) : path_(std::move(path)) {}
  // The shard of that file name, opened the first time.
  absl::StatusOr<const TensorSource*> Shard(const std::string& file_name);

  const std::string path_;
  std::map<std::string, std::shared_ptr<const TensorSource>> shards_;
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, const TensorSource*> shard_of_;  // by tensor
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_SHARDED_TENSORS_H_
