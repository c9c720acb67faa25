#ifndef GENZO_WORKER_DEVICE_DEVICE_STREAM_H_
#define GENZO_WORKER_DEVICE_DEVICE_STREAM_H_

#include <optional>

#include "c10/core/Device.h"
#include "c10/core/Stream.h"
#include "c10/core/StreamGuard.h"

namespace genzo {

// Which of two streams the device serves first.
enum class StreamPriority { kLow, kHigh };

// A queue of a device's work. What threads queue on streams of their own runs
// side by side, and to wait for one is not to wait for the other; LibTorch's
// default stream knows neither. A CPU has none, and then all of this does
// nothing. Any thread may call it.
class DeviceStream {
 public:
  DeviceStream(const c10::Device& device, StreamPriority priority);

  // While it lives, what the calling thread does on the device is queued here.
  class Scope {
   public:
    explicit Scope(const DeviceStream& stream) {
      if (stream.stream_.has_value()) guard_.emplace(*stream.stream_);
    }

   private:
    std::optional<c10::StreamGuard> guard_;
  };

  // Waits until what the calling thread has queued on `device` is done.
  // c10::Error is the device's.
  static void WaitForThisThread(const c10::Device& device);

 private:
  std::optional<c10::Stream> stream_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_DEVICE_STREAM_H_
