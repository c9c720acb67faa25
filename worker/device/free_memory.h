#ifndef GENZO_WORKER_DEVICE_FREE_MEMORY_H_
#define GENZO_WORKER_DEVICE_FREE_MEMORY_H_

#include "c10/core/Device.h"

namespace genzo {

// Gives the system the memory that the process has freed and that its allocator
// still keeps, and to `device` what LibTorch keeps of its. Any thread may call
// it.
void ReturnFreeMemory(const c10::Device& device);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_FREE_MEMORY_H_
