#ifndef GENZO_WORKER_ENGINE_DEVICE_H_
#define GENZO_WORKER_ENGINE_DEVICE_H_

#include <string>

#include "absl/status/statusor.h"
#include "c10/core/Device.h"
#include "c10/core/ScalarType.h"

namespace genzo {

// The device that a configuration means by auto, cpu, cuda or cuda:N. auto is
// CUDA where there are a driver, a device and LibTorch's CUDA libraries, else
// the CPU. UNAVAILABLE says which of these is missing. Loads the CUDA libraries
// on first need, so one binary serves both kinds of machine.
absl::StatusOr<c10::Device> ResolveDevice(const std::string& name);

// float32, bfloat16 or float16.
absl::StatusOr<c10::ScalarType> ParseDtype(const std::string& name);

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_DEVICE_H_
