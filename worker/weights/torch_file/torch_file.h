#ifndef GENZO_WORKER_WEIGHTS_TORCH_FILE_TORCH_FILE_H_
#define GENZO_WORKER_WEIGHTS_TORCH_FILE_TORCH_FILE_H_

#include <map>
#include <memory>
#include <string>

#include "worker/weights/tensor_source.h"
#include "worker/weights/torch_file/unpickler.h"

namespace genzo {

// The tensors of a file that torch.save() wrote: a zip archive of a pickle and
// of storages. genzo-tool reads models of that kind in a process of its own;
// the server reads no such file but those of its folders of embeddings. Not
// thread-safe.
class TorchFile : public TensorSource {
 public:
  // Errors name the path. INVALID_ARGUMENT: not such an archive (torch before
  // 1.6 wrote none, which is told), or a pickle of other things than tensors,
  // or a storage that is not there or has another size.
  static absl::StatusOr<std::shared_ptr<const TensorSource>> Open(
      const std::string& path);
  ~TorchFile() override;
  TorchFile(const TorchFile&) = delete;
  TorchFile& operator=(const TorchFile&) = delete;

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  using TensorSource::Read;
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override;
  const std::string& path() const override { return path_; }

 private:
  struct Archive;

  TorchFile(std::string path, std::unique_ptr<Archive> archive);
  absl::Status ReadIndex();
  absl::Status AddTensor(const std::string& name, const PickledTensor& tensor);

  const std::string path_;
  const std::unique_ptr<Archive> archive_;
  std::string root_;  // "archive/"
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, PickledTensor> tensors_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TORCH_FILE_TORCH_FILE_H_
