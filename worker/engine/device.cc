#include "worker/engine/device.h"

#include <dlfcn.h>

#include <exception>

#include "ATen/Context.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "worker/engine/exception_status.h"

namespace genzo {
namespace {

// LibTorch registers its CUDA kernels when libtorch_cuda.so is opened. Nothing
// may ask LibTorch about CUDA before: the first answer is kept for ever.
absl::Status LoadCuda() {
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError("no CUDA driver (libcuda.so.1)");
  }
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "LibTorch's CUDA libraries cannot be loaded: ", dlerror()));
  }
  return absl::OkStatus();
}

// Devices that LibTorch can use.
absl::StatusOr<int> CountCudaDevices() {
  const absl::Status loaded = LoadCuda();
  if (!loaded.ok()) return loaded;
  try {
    return static_cast<int>(at::globalContext()
                                .getAcceleratorHooksInterface(c10::kCUDA)
                                .deviceCount());
  } catch (const std::exception&) {
    return StatusFromException("CUDA");
  }
}

}  // namespace

absl::StatusOr<c10::Device> ResolveDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  int index = 0;
  if (name.rfind("cuda:", 0) == 0 &&
      !absl::SimpleAtoi(name.substr(5), &index)) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\" is not known"));
  }
  const auto count = CountCudaDevices();
  absl::Status status = count.status();
  if (status.ok() && index >= *count) {
    status = absl::UnavailableError(
        absl::StrCat("the machine has ", *count, " CUDA devices"));
  }
  if (status.ok()) {
    return c10::Device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
  }
  if (name == "auto") return c10::Device(c10::kCPU);
  return absl::UnavailableError(
      absl::StrCat("device ", name, ": ", status.message()));
}

absl::StatusOr<c10::ScalarType> ParseDtype(const std::string& name) {
  if (name == "float32") return c10::kFloat;
  if (name == "bfloat16") return c10::kBFloat16;
  if (name == "float16") return c10::kHalf;
  return absl::InvalidArgumentError(
      absl::StrCat("dtype \"", name, "\" is not known"));
}

}  // namespace genzo
