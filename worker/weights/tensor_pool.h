#ifndef GENZO_WORKER_WEIGHTS_TENSOR_POOL_H_
#define GENZO_WORKER_WEIGHTS_TENSOR_POOL_H_

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "worker/weights/tensor_source.h"

namespace genzo {

// The weights of one device that several models may hold: a tensor that is in
// memory already is given again instead of being read, so a text encoder or an
// autoencoder that models share is resident once. Holds nothing itself: a
// tensor goes with the last model that has it. Whoever gets one does not write
// to it. Thread-safe.
class TensorPool {
 public:
  explicit TensorPool(at::Device device) : device_(device) {}

  // The tensor of that key on the device, from memory or made by `read`, on
  // whatever device that leaves it.
  absl::StatusOr<at::Tensor> Get(
      const std::string& key,
      const std::function<absl::StatusOr<at::Tensor>()>& read)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Tensors in memory; for tests.
  size_t Count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Weak =
      c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const at::Device device_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Weak> tensors_ ABSL_GUARDED_BY(mutex_);
  size_t sweep_at_ ABSL_GUARDED_BY(mutex_) = 1024;
};

// A source whose tensors come from a pool, on the pool's device. The file at
// source->path(), as it is now, and `kind` tell which are the same.
std::shared_ptr<const TensorSource> InPool(
    std::shared_ptr<const TensorSource> source,
    std::shared_ptr<TensorPool> pool, const std::string& kind);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TENSOR_POOL_H_
