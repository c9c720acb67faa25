#ifndef GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_
#define GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_

#include <functional>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace genzo {

// What a network makes of a timestep alone, computed once per timestep: walks
// of many requests visit the same ones. Thread-safe.
class TimestepTable {
 public:
  // timesteps [1] float32 on `device` -> [1, T].
  using Embed = std::function<at::Tensor(const at::Tensor& timesteps)>;

  TimestepTable(const at::Device& device, Embed embed)
      : device_(device), embed_(std::move(embed)) {}

  // One row a timestep: [timesteps, T] as `embed` gives them.
  at::Tensor Rows(const std::vector<float>& timesteps)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  at::Tensor RowLocked(float timestep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const at::Device device_;
  const Embed embed_;
  absl::Mutex mutex_;
  absl::flat_hash_map<float, at::Tensor> rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_
