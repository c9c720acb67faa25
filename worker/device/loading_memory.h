#ifndef GENZO_WORKER_DEVICE_LOADING_MEMORY_H_
#define GENZO_WORKER_DEVICE_LOADING_MEMORY_H_

namespace genzo {

// The process's allocator keeps what is freed (HeapRest returns it); while one
// of these lives, it does not. For the thread that loads a model: tensors that
// live for long would get what short-lived ones had, with the pages behind
// their own end. Any thread.
class LoadingMemory {
 public:
  LoadingMemory();
  ~LoadingMemory();
  LoadingMemory(const LoadingMemory&) = delete;
  LoadingMemory& operator=(const LoadingMemory&) = delete;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_LOADING_MEMORY_H_
