#ifndef GENZO_WORKER_DEVICE_FREE_MEMORY_H_
#define GENZO_WORKER_DEVICE_FREE_MEMORY_H_

#include "c10/core/Device.h"

namespace genzo {

// Gives the system the memory that the process has freed and that its allocator
// still keeps, and to `device` what LibTorch keeps of its. Any thread may call
// it.
void ReturnFreeMemory(const c10::Device& device);

// Returns the process's freed memory once no steps have been taken for a while,
// and again each time that while has passed: until then the next step has it.
// Once a while it returns it in any case if it is more than what is in use:
// where pieces of many sizes come and go, ever more is kept. For one thread.
class HeapRest {
 public:
  // How many looks a while is.
  explicit HeapRest(int looks) : looks_(looks) {}

  void Look(bool idle);

 private:
  const int looks_;
  int idle_looks_ = 0;  // in a row
  int all_looks_ = 0;   // since freed memory was last compared
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_FREE_MEMORY_H_
