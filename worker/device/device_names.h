#ifndef GENZO_WORKER_DEVICE_DEVICE_NAMES_H_
#define GENZO_WORKER_DEVICE_DEVICE_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "c10/core/ScalarType.h"

namespace genzo {

// The devices that a configuration's entries mean, one a worker: auto, cpu,
// cpu:N, cuda, cuda:N. auto is every CUDA device where there are a driver, a
// device and LibTorch's CUDA libraries, else the CPU. UNAVAILABLE says which of
// these is missing. Loads the CUDA libraries on first need, so one binary
// serves both kinds of machine.
absl::StatusOr<std::vector<c10::Device>> ResolveDevices(
    const std::vector<std::string>& names);

// float32, bfloat16, float16, or auto: bfloat16 on processors with AMX, AMD's
// with AVX512-BF16 and GPUs from compute capability 8.0 on; else float32, or
// float16 on a GPU.
absl::StatusOr<c10::ScalarType> ParseDtype(const std::string& name,
                                           const c10::Device& device);
// The name that ParseDtype reads.
std::string DtypeName(c10::ScalarType dtype);

// What the device is sold as: "AMD EPYC ...", "NVIDIA H100 ..."; "unknown"
// where nobody tells.
std::string DeviceName(const c10::Device& device);

// Memory of the device, in bytes; of the CPU, that of the machine or of the
// container that limits it, less what this process has of it by now.
int64_t DeviceMemoryBytes(const c10::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_DEVICE_NAMES_H_
