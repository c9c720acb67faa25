#ifndef GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_
#define GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_

#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "worker/denoiser/unet_2d_condition.h"

namespace genzo {

// What a UNet's resnets add for a timestep, computed once per timestep: walks
// of many requests visit the same ones. Thread-safe.
class TimestepTable {
 public:
  // `unet` outlives the table.
  explicit TimestepTable(const UNet2DConditionModel& unet) : unet_(unet) {}

  // One row a timestep: [timesteps, T] float32 on the UNet's device.
  at::Tensor Rows(const std::vector<float>& timesteps)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  at::Tensor RowLocked(float timestep) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UNet2DConditionModel& unet_;
  absl::Mutex mutex_;
  absl::flat_hash_map<float, at::Tensor> rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_TIMESTEP_TABLE_H_
