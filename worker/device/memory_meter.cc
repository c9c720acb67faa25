#include "worker/device/memory_meter.h"

#include <algorithm>

#include "c10/core/Allocator.h"

namespace genzo {

class MemoryMeter::Reporter : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t alloc_size, size_t, size_t,
                         c10::Device) override {
    in_use_ += alloc_size;
    peak_ = std::max(peak_, in_use_);
  }
  bool memoryProfilingEnabled() const override { return true; }

  int64_t peak() const { return peak_; }

 private:
  int64_t in_use_ = 0;
  int64_t peak_ = 0;
};

MemoryMeter::MemoryMeter()
    : reporter_(std::make_shared<Reporter>()),
      guard_(c10::DebugInfoKind::PROFILER_STATE, reporter_) {}

MemoryMeter::~MemoryMeter() = default;

int64_t MemoryMeter::peak_bytes() const { return reporter_->peak(); }

}  // namespace genzo
