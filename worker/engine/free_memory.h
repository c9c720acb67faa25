#ifndef GENZO_WORKER_ENGINE_FREE_MEMORY_H_
#define GENZO_WORKER_ENGINE_FREE_MEMORY_H_

namespace genzo {

// Gives the system the memory that the process has freed and that its allocator
// still keeps. Any thread may call it.
void ReturnFreeMemory();

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_FREE_MEMORY_H_
