#include "worker/device/device_names.h"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <fstream>

#include "ATen/Context.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/processor.h"
#include "worker/device/exception_status.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/threads/cgroup.h"

namespace genzo {
namespace {

bool HasAmx() {
#ifdef __clang__
  return false;  // version 14 has no name for it; it builds checks alone
#else
  return __builtin_cpu_supports("amx-bf16");
#endif
}

// Devices that LibTorch can use.
absl::StatusOr<int> CountCudaDevices() {
  const absl::Status cuda = OpenCuda();
  if (!cuda.ok()) return cuda;
  try {
    return static_cast<int>(at::globalContext()
                                .getAcceleratorHooksInterface(c10::kCUDA)
                                .deviceCount());
  } catch (const std::exception&) {
    return StatusFromException("CUDA");
  }
}

// Adds the devices that one entry means.
absl::Status Resolve(const std::string& name,
                     std::vector<c10::Device>& devices) {
  const std::string kind = name.substr(0, name.find(':'));
  int number = kind == "cpu" ? 1 : 0;
  if (kind != name &&
      (!absl::SimpleAtoi(name.substr(kind.size() + 1), &number) ||
       number < (kind == "cpu" ? 1 : 0))) {
    return absl::InvalidArgumentError(
        absl::StrCat("device \"", name, "\" is not known"));
  }
  if (kind == "cpu") {
    devices.insert(devices.end(), number, c10::Device(c10::kCPU));
    return absl::OkStatus();
  }
  const auto count = CountCudaDevices();
  if (kind == "auto") {
    const int found = count.ok() ? *count : 0;
    for (int i = 0; i < found; ++i) {
      devices.emplace_back(c10::kCUDA, static_cast<c10::DeviceIndex>(i));
    }
    if (found > 0) return absl::OkStatus();
    spdlog::info("devices: auto means the CPU: {}",
                 count.ok() ? "the driver knows no CUDA device"
                            : std::string(count.status().message()));
    devices.emplace_back(c10::kCPU);
    return absl::OkStatus();
  }
  if (!count.ok()) {
    return absl::UnavailableError(
        absl::StrCat("device ", name, ": ", count.status().message()));
  }
  if (number >= *count) {
    return absl::UnavailableError(absl::StrCat(
        "device ", name, ": the machine has ", *count, " CUDA devices"));
  }
  devices.emplace_back(c10::kCUDA, static_cast<c10::DeviceIndex>(number));
  return absl::OkStatus();
}

// The driver's function `name`. OpenCuda() opened the driver and LibTorch
// initialised it, which itself tells these things through CUDA's headers only.
template <typename... Arguments>
bool AskDriver(const char* name, Arguments... arguments) {
  const auto function =
      reinterpret_cast<int (*)(Arguments...)>(dlsym(RTLD_DEFAULT, name));
  return function != nullptr && function(arguments...) == 0;
}

// Whether it multiplies bfloat16, which came with compute capability 8.0.
bool HasBfloat16(int index) {
  constexpr int kComputeCapabilityMajor = 75;  // of CUdevice_attribute
  int device = 0;
  int major = 0;
  const bool told = AskDriver("cuDeviceGet", &device, index) &&
                    AskDriver("cuDeviceGetAttribute", &major,
                              kComputeCapabilityMajor, device);
  return !told || major >= 8;
}

// 0 if the driver does not say.
int64_t CudaMemoryBytes(int index) {
  int device = 0;
  size_t bytes = 0;
  const bool told = AskDriver("cuDeviceGet", &device, index) &&
                    AskDriver("cuDeviceTotalMem_v2", &bytes, device);
  return told ? static_cast<int64_t>(bytes) : 0;
}

std::string CudaName(int index) {
  int device = 0;
  char name[256] = {};
  const bool told = AskDriver("cuDeviceGet", &device, index) &&
                    AskDriver("cuDeviceGetName", static_cast<char*>(name),
                              static_cast<int>(sizeof(name)), device);
  return told ? name : "unknown";
}

}  // namespace

absl::StatusOr<std::vector<c10::Device>> ResolveDevices(
    const std::vector<std::string>& names) {
  std::vector<c10::Device> devices;
  for (const std::string& name : names) {
    const absl::Status resolved = Resolve(name, devices);
    if (!resolved.ok()) return resolved;
  }
  const bool has_cuda =
      std::any_of(devices.begin(), devices.end(),
                  [](const c10::Device& device) { return device.is_cuda(); });
  if (has_cuda && !OpenCudaBackend().ok()) {
    spdlog::warn("CUDA is slower than it could be: {}",
                 std::string(OpenCudaBackend().status().message()));
  }
  return devices;
}

absl::StatusOr<c10::ScalarType> ParseDtype(const std::string& name,
                                           const c10::Device& device) {
  if (name == "float32") return c10::kFloat;
  if (name == "bfloat16") return c10::kBFloat16;
  if (name == "float16") return c10::kHalf;
  if (name == "auto" && device.is_cuda()) {
    return HasBfloat16(device.index()) ? c10::kBFloat16 : c10::kHalf;
  }
  if (name == "auto") {
    // Intel's cores without AMX multiply bfloat16 no faster than float32, and
    // all around the products costs more: docs/performance.md.
    const bool gains = HasAmx() || (__builtin_cpu_supports("avx512bf16") &&
                                    __builtin_cpu_is("amd"));
    return gains ? c10::kBFloat16 : c10::kFloat;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("dtype \"", name, "\" is not known"));
}

std::string DtypeName(c10::ScalarType dtype) {
  return dtype == c10::kFloat      ? "float32"
         : dtype == c10::kBFloat16 ? "bfloat16"
                                   : "float16";
}

std::string DeviceName(const c10::Device& device) {
  return device.is_cuda() ? CudaName(device.index()) : ProcessorName();
}

int64_t DeviceMemoryBytes(const c10::Device& device) {
  if (device.is_cuda()) return CudaMemoryBytes(device.index());
  const int64_t page = sysconf(_SC_PAGE_SIZE);
  const int64_t machine = sysconf(_SC_PHYS_PAGES) * page;
  int64_t mapped = 0, resident = 0;  // pages
  std::ifstream("/proc/self/statm") >> mapped >> resident;
  const int64_t limit =
      std::min(machine, Cgroup().memory_bytes().value_or(machine));
  return std::max<int64_t>(0, limit - resident * page);
}

}  // namespace genzo
