#include "worker/kernels/cuda_backend.h"

#include <dlfcn.h>

#include "ATen/Context.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr char kLibrary[] = "libgenzo_cuda.so";
constexpr char kEntry[] = "GenzoCudaBackend";

// The libraries stay open for as long as the process lives.
absl::Status Open() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError("no CUDA driver (libcuda.so.1)");
  }
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "LibTorch's CUDA libraries cannot be loaded: ", dlerror()));
  }
  // float32 means float32, as on the CPU, and a seed means one picture.
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
  // Its attention plans anew for every size and number of rows, up to half a
  // second each, while all runs wait.
  at::globalContext().setSDPUseCuDNN(false);
  return absl::OkStatus();
}

absl::StatusOr<CudaBackend*> OpenBackend() {
  const absl::Status cuda = OpenCuda();
  if (!cuda.ok()) return cuda;
  void* const library = dlopen(kLibrary, RTLD_NOW);
  if (library == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("Genzo's CUDA library cannot be loaded: ", dlerror()));
  }
  const auto entry =
      reinterpret_cast<CudaBackend* (*)()>(dlsym(library, kEntry));
  if (entry == nullptr) {
    return absl::UnavailableError(absl::StrCat(kLibrary, " has no ", kEntry));
  }
  return entry();
}

}  // namespace

absl::Status OpenCuda() {
  static const auto* const opened = new absl::Status(Open());
  return *opened;
}

absl::StatusOr<CudaBackend*> OpenCudaBackend() {
  static const auto* const backend =
      new absl::StatusOr<CudaBackend*>(OpenBackend());
  return *backend;
}

}  // namespace genzo
