#include "worker/device/free_memory.h"

#include <exception>

#include "base/logging.h"
#include "c10/core/CachingDeviceAllocator.h"
#include "worker/kernels/cuda_backend.h"

// Steps allocate and free the same hundreds of tensors over and over: with
// jemalloc those of the model in the box take a tenth less
// (docs/performance.md). Sanitizers bring an allocator of their own.
#ifdef GENZO_JEMALLOC
#include <jemalloc/jemalloc.h>
#else
#include <malloc.h>
#endif

namespace genzo {
namespace {

#ifdef GENZO_JEMALLOC

#define GENZO_QUOTED_(text) #text
#define GENZO_QUOTED(text) GENZO_QUOTED_(text)

void PurgeHeap() {
  mallctl("arena." GENZO_QUOTED(MALLCTL_ARENAS_ALL) ".purge", nullptr, nullptr,
          nullptr, 0);
}

size_t HeapFigure(const char* name) {
  size_t value = 0;
  size_t size = sizeof(value);
  mallctl(name, &value, &size, nullptr, 0);
  return value;
}

bool MoreIsKeptThanUsed() {
  uint64_t epoch = 1;  // the figures are of the last one
  mallctl("epoch", nullptr, nullptr, &epoch, sizeof(epoch));
  const size_t used = HeapFigure("stats.active");
  return HeapFigure("stats.resident") > 2 * used;
}

#else

void PurgeHeap() { malloc_trim(0); }

// Those allocators have bounds of their own.
bool MoreIsKeptThanUsed() { return false; }

#endif

}  // namespace

void ReturnFreeMemory(const c10::Device& device) {
  PurgeHeap();
  if (device.is_cpu()) return;
  try {
    const auto backend = OpenCudaBackend();
    if (backend.ok()) {
      (*backend)->ReturnFreeMemory();
    } else {
      c10::getDeviceAllocator(device.type())->emptyCache();
    }
  } catch (const std::exception& e) {
    // A broken device; those who compute on it hear of it.
    spdlog::warn("memory of {} is not returned: {}", device.str(), e.what());
  }
}

void HeapRest::Look(bool idle) {
  idle_looks_ = idle ? idle_looks_ + 1 : 0;
  const bool rested = idle_looks_ == looks_;
  const bool due = ++all_looks_ == looks_;
  if (rested) idle_looks_ = 0;
  if (due) all_looks_ = 0;
  if (rested || (due && MoreIsKeptThanUsed())) PurgeHeap();
}

}  // namespace genzo
