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

// The weights of one device that several models may hold: what is in memory
// already is given again instead of being read, so a text encoder or an
// autoencoder that models share is resident once. Whole parts, too, because
// layers on a CPU keep weights of their own making in place of those they read.
// Holds nothing itself: a tensor or a part goes with the last model that has
// it. Whoever gets one does not write to it. Thread-safe.
class TensorPool {
 public:
  explicit TensorPool(at::Device device) : device_(device) {}

  // The tensor of that key on the device, from memory or made by `read`, on
  // whatever device that leaves it.
  absl::StatusOr<at::Tensor> Get(
      const std::string& key,
      const std::function<absl::StatusOr<at::Tensor>()>& read)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The part of that key, from memory or made by `make`. `key` tells the
  // part's type, all files that it is made of and whatever else it depends on;
  // empty: nobody else has it.
  template <typename Part>
  absl::StatusOr<std::shared_ptr<const Part>> Share(
      const std::string& key,
      const std::function<absl::StatusOr<std::shared_ptr<const Part>>()>& make)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    if (key.empty()) return make();
    if (auto held = FindPart(key)) {
      return std::static_pointer_cast<const Part>(std::move(held));
    }
    auto made = make();
    if (made.ok()) KeepPart(key, *made);
    return made;
  }

  // Tensors in memory; for tests.
  size_t Count() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Weak =
      c10::weak_intrusive_ptr<c10::TensorImpl, c10::UndefinedTensorImpl>;

  std::shared_ptr<const void> FindPart(const std::string& key)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void KeepPart(const std::string& key, const std::shared_ptr<const void>& part)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const at::Device device_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Weak> tensors_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::weak_ptr<const void>> parts_
      ABSL_GUARDED_BY(mutex_);
  size_t sweep_at_ ABSL_GUARDED_BY(mutex_) = 1024;
};

// Which file is at `path`, as it is now; empty if that cannot be told.
std::string FileIdentity(const std::string& path);

// A source whose tensors come from a pool, on the pool's device. The file at
// source->path(), as it is now, and `kind` tell which are the same.
std::shared_ptr<const TensorSource> InPool(
    std::shared_ptr<const TensorSource> source,
    std::shared_ptr<TensorPool> pool, const std::string& kind);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_TENSOR_POOL_H_
