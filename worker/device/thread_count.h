#ifndef GENZO_WORKER_DEVICE_THREAD_COUNT_H_
#define GENZO_WORKER_DEVICE_THREAD_COUNT_H_

namespace genzo {

// Lets LibTorch's and our own parallel loops on the calling thread be shared
// out to `threads` threads, at least 1; other threads are not touched. Bits may
// depend on their number, not on who computes what
// (worker/threads/team_pool.h).
void UseThreads(int threads);

// The same for a while.
class ScopedThreads {
 public:
  explicit ScopedThreads(int threads);
  ~ScopedThreads();
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  const int before_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_THREAD_COUNT_H_
