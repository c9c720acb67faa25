#include "worker/cuda/compiled_kernels.h"

#include "c10/cuda/CUDAException.h"
#include "c10/cuda/CUDAStream.h"
#include "worker/cuda/nvrtc.h"

namespace genzo {

std::string CurrentArchitecture() {
  int device = 0;
  int major = 0;
  int minor = 0;
  C10_CUDA_CHECK(cudaGetDevice(&device));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(
      &major, cudaDevAttrComputeCapabilityMajor, device));
  C10_CUDA_CHECK(cudaDeviceGetAttribute(
      &minor, cudaDevAttrComputeCapabilityMinor, device));
  return std::to_string(major) + std::to_string(minor);
}

CompiledKernels::CompiledKernels(const std::string& source,
                                 const std::vector<std::string>& definitions,
                                 const std::vector<std::string>& entries) {
  const std::string cubin =
      CompileCuda(source, CurrentArchitecture(), definitions);
  C10_CUDA_CHECK(cudaLibraryLoadData(&library_, cubin.data(), nullptr, nullptr,
                                     0, nullptr, nullptr, 0));
  for (const std::string& entry : entries) {
    C10_CUDA_CHECK(
        cudaLibraryGetKernel(&kernels_[entry], library_, entry.c_str()));
  }
}

void CompiledKernels::LaunchWith(const std::string& entry, const Shape& shape,
                                 void** arguments) const {
  C10_CUDA_CHECK(
      cudaLaunchKernel(reinterpret_cast<const void*>(kernels_.at(entry)),
                       shape.grid, shape.block, arguments, shape.shared_bytes,
                       c10::cuda::getCurrentCUDAStream().stream()));
}

}  // namespace genzo
