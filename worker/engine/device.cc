#include "worker/engine/device.h"

#include <dlfcn.h>

#include <exception>

#include "ATen/Context.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

// LibTorch registers its CUDA kernels when libtorch_cuda.so is opened.
absl::Status LoadCuda() {
  if (at::globalContext().hasCUDA()) return absl::OkStatus();
  if (dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError("no CUDA driver (libcuda.so.1)");
  }
  if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "LibTorch's CUDA libraries cannot be loaded: ", dlerror()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<c10::Device> ResolveDevice(const std::string& name) {
  if (name == "cpu") return c10::Device(c10::kCPU);
  absl::Status status = LoadCuda();
  int count = 0;
  if (status.ok()) {
    try {
      count = static_cast<int>(
          at::globalContext().getAcceleratorHooksInterface().deviceCount());
    } catch (const std::exception& e) {
      status = absl::UnavailableError(e.what());
    }
  }
  int index = 0;
  if (name.rfind("cuda:", 0) == 0 &&
      !absl::SimpleAtoi(name.substr(5), &index)) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\" is not known"));
  }
  if (status.ok() && index >= count) {
    status = absl::UnavailableError(
        absl::StrCat("the machine has ", count, " CUDA devices"));
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
