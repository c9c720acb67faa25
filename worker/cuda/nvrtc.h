#ifndef GENZO_WORKER_CUDA_NVRTC_H_
#define GENZO_WORKER_CUDA_NVRTC_H_

#include <string>
#include <vector>

namespace genzo {

// Machine code (a cubin) of CUDA C++ for `architecture`, as "90" for compute
// capability 9.0. `definitions`: "NAME=value" each. Throws c10::Error with the
// compiler's words. Needs no GPU.
std::string CompileCuda(const std::string& source,
                        const std::string& architecture,
                        const std::vector<std::string>& definitions);

}  // namespace genzo

#endif  // GENZO_WORKER_CUDA_NVRTC_H_
