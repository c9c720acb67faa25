#ifndef GENZO_WORKER_THREADS_AVAILABLE_CORES_H_
#define GENZO_WORKER_THREADS_AVAILABLE_CORES_H_

namespace genzo {

// Cores that this process may compute on, at least 1: those of its affinity, or
// its container's quota, rounded up (1.5 cores are two threads that rest for a
// quarter of the time), if that is less. Read once.
int AvailableCores();

// Threads of an evaluation unless somebody says otherwise: OMP_NUM_THREADS if
// it is a number over 0, else AvailableCores().
int DefaultThreads();

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_AVAILABLE_CORES_H_
