#ifndef GENZO_WORKER_CUDA_GROUP_NORM_H_
#define GENZO_WORKER_CUDA_GROUP_NORM_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>

#include "ATen/core/Tensor.h"
#include "worker/cuda/compiled_kernels.h"
#include "worker/kernels/group_norm.h"

namespace genzo {

// ChannelsLastGroupNorm() on CUDA devices: LibTorch's own group norm turns the
// maps to channels first and back, and SiLU reads and writes them once more.
// Thread-safe.
class CudaGroupNorm {
 public:
  // The contract is CudaBackend::CanGroupNorm()'s.
  bool Works(const at::Tensor& x);

  // Compiles what it needs of a new type, width or kind of device, which takes
  // a tenth of a second or more. The contract is CudaBackend::GroupNorm()'s.
  at::Tensor Run(const at::Tensor& x, const at::Tensor& shift,
                 const at::Tensor& weight, const at::Tensor& bias,
                 const GroupNormOptions& options);

 private:
  const CompiledKernels& KernelsFor(at::ScalarType dtype, int64_t vector);
  // On random maps of this type and place.
  bool AgreesWithLibTorch(const at::TensorOptions& options);

  // Element type, vector width, architecture.
  using Key = std::tuple<at::ScalarType, int64_t, std::string>;
  // Not Abseil's: this library links nothing but LibTorch and CUDA.
  std::mutex mutex_;
  // Guarded by mutex_; kernels stay where they are.
  std::map<Key, std::unique_ptr<const CompiledKernels>> kernels_;
  // Guarded by tried_mutex_, which is held while trying.
  std::mutex tried_mutex_;
  std::map<std::pair<at::ScalarType, at::DeviceIndex>, bool> works_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_GROUP_NORM_H_
