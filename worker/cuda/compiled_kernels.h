#ifndef GENZO_WORKER_CUDA_COMPILED_KERNELS_H_
#define GENZO_WORKER_CUDA_COMPILED_KERNELS_H_

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace genzo {

// CUDA C++ compiled for the current device by NVRTC, which comes with LibTorch:
// neither the build nor the user needs nvcc. Errors are c10::Error. Stays
// loaded until the process ends. Any thread may call it.
class CompiledKernels {
 public:
  // `definitions` as for a compiler's -D: "NAME=value". `entries` are the
  // extern "C" kernels of `source`. Takes a tenth of a second or more.
  CompiledKernels(const std::string& source,
                  const std::vector<std::string>& definitions,
                  const std::vector<std::string>& entries);
  CompiledKernels(const CompiledKernels&) = delete;
  CompiledKernels& operator=(const CompiledKernels&) = delete;

  struct Shape {
    dim3 grid;
    dim3 block;
    size_t shared_bytes = 0;
  };

  // Queues a kernel on the calling thread's stream of the current device.
  // `arguments` have exactly the types of its parameters.
  template <typename... Arguments>
  void Launch(const std::string& entry, const Shape& shape,
              Arguments... arguments) const {
    void* pointers[] = {&arguments...};
    LaunchWith(entry, shape, pointers);
  }

 private:
  void LaunchWith(const std::string& entry, const Shape& shape,
                  void** arguments) const;

  cudaLibrary_t library_ = nullptr;
  std::map<std::string, cudaKernel_t> kernels_;
};

// Compute capability of the current device, as "90" for 9.0.
std::string CurrentArchitecture();

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_COMPILED_KERNELS_H_
