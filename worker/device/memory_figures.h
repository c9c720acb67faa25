#ifndef GENZO_WORKER_DEVICE_MEMORY_FIGURES_H_
#define GENZO_WORKER_DEVICE_MEMORY_FIGURES_H_

#include <string>
#include <utility>
#include <vector>

#include "c10/core/Device.h"
#include "prometheus/collectable.h"

namespace genzo {

// genzo_device_memory_bytes of devices with an allocator of LibTorch's, read
// when asked for: kind "allocated" (of tensors), "reserved" (kept from the
// device) and "total" and "free" (the device's own). Thread-safe.
class DeviceMemoryFigures : public prometheus::Collectable {
 public:
  // Devices and what figures call them. The CPU has none.
  explicit DeviceMemoryFigures(
      std::vector<std::pair<c10::Device, std::string>> devices)
      : devices_(std::move(devices)) {}

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::vector<std::pair<c10::Device, std::string>> devices_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_MEMORY_FIGURES_H_
