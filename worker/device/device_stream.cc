#include "worker/device/device_stream.h"

#include "c10/core/impl/VirtualGuardImpl.h"

namespace genzo {

DeviceStream::DeviceStream(const c10::Device& device, StreamPriority priority) {
  if (device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type())
                .getStreamFromGlobalPool(
                    device,
                    /*isHighPriority=*/priority == StreamPriority::kHigh);
}

void DeviceStream::WaitForThisThread(const c10::Device& device) {
  if (device.is_cpu()) return;
  c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

}  // namespace genzo
