#ifndef GENZO_WORKER_ENGINE_THREAD_COUNT_H_
#define GENZO_WORKER_ENGINE_THREAD_COUNT_H_

namespace genzo {

// Lets LibTorch's computations of the calling thread use `threads` threads.
// Process-wide for MKL: call it on step threads only.
void UseThreads(int threads);

// Keeps LibTorch's computations on the calling thread, without touching other
// threads' settings. A second team of OpenMP threads would not only compete
// with the step thread's: once a process has more OpenMP threads than cores,
// GNU's runtime stops spinning at barriers, and steps were measured to take 1.7
// to 4 times as long.
void UseOneThread();

}  // namespace genzo

#endif  // GENZO_WORKER_ENGINE_THREAD_COUNT_H_
