#ifndef GENZO_WORKER_DEVICE_MEMORY_METER_H_
#define GENZO_WORKER_DEVICE_MEMORY_METER_H_

#include <cstdint>
#include <memory>

#include "c10/util/ThreadLocalDebugInfo.h"

namespace genzo {

// Counts what LibTorch's allocators hand out to the calling thread while the
// meter lives, as LibTorch's profiler does. What libraries allocate by
// themselves is not seen.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();

  // Most bytes that were in use at once, beyond those in use at the start.
  int64_t peak_bytes() const;

 private:
  class Reporter;

  const std::shared_ptr<Reporter> reporter_;
  const c10::DebugInfoGuard guard_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_MEMORY_METER_H_
