#ifndef GENZO_WORKER_DEVICE_THREAD_COUNT_H_
#define GENZO_WORKER_DEVICE_THREAD_COUNT_H_

namespace genzo {

// Lets LibTorch's computations of the calling thread use `threads` threads.
// Process-wide for MKL: call it on step threads only.
void UseThreads(int threads);

// The same without touching other threads' settings, for threads beside the
// step thread. With more than one, such a thread must end soon: its OpenMP team
// lives as long as it does, and once a process has more OpenMP threads than
// cores, GNU's runtime stops spinning at barriers, and steps were measured to
// take 1.7 to 4 times as long.
void UseThreadsHere(int threads);

// The same for a while, for any thread that has its team anyhow.
class ScopedThreads {
 public:
  explicit ScopedThreads(int threads);  // 0: as it is
  ~ScopedThreads();
  ScopedThreads(const ScopedThreads&) = delete;
  ScopedThreads& operator=(const ScopedThreads&) = delete;

 private:
  const int before_;
};

// Of an evaluation on `threads` of `cores` while the decoding thread works too.
// With one runnable thread more than cores every barrier waits for whichever
// is not running: two of two cores were 1.4 to 2.8 times as slow as one of
// them.
int ThreadsBesideDecoding(int threads, int cores);

}  // namespace genzo

#endif  // GENZO_WORKER_DEVICE_THREAD_COUNT_H_
