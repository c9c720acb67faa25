// What libgenzo_cuda.so is asked for by name (worker/kernels/cuda_backend.cc).

#include <mutex>

#include "c10/cuda/CUDACachingAllocator.h"
#include "worker/cuda/graph_recorder.h"
#include "worker/cuda/group_norm.h"
#include "worker/kernels/cuda_backend.h"

namespace genzo {
namespace {

class Backend : public CudaBackend {
 public:
  bool CanGroupNorm(const at::Tensor& x) override {
    return group_norm_.Works(x);
  }

  at::Tensor GroupNorm(const at::Tensor& x, const at::Tensor& shift,
                       const at::Tensor& weight, const at::Tensor& bias,
                       const GroupNormOptions& options) override {
    return group_norm_.Run(x, shift, weight, bias, options);
  }

  std::unique_ptr<Recorder> NewRecorder(const at::Device& device) override {
    return NewGraphRecorder(device, recording_);
  }

  void ReturnFreeMemory() override {
    const std::lock_guard<std::mutex> lock(recording_);
    c10::cuda::CUDACachingAllocator::emptyCache();
  }

 private:
  std::mutex recording_;
  CudaGroupNorm group_norm_;
};

}  // namespace
}  // namespace genzo

// Lives as long as the process.
extern "C" __attribute__((visibility("default"))) genzo::CudaBackend*
GenzoCudaBackend() {
  static auto* const backend = new genzo::Backend();
  return backend;
}
