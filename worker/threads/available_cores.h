#ifndef GENZO_WORKER_THREADS_AVAILABLE_CORES_H_
#define GENZO_WORKER_THREADS_AVAILABLE_CORES_H_

#include <optional>

namespace genzo {

// Cores that this process may compute on, at least 1: those of its affinity, or
// its container's quota, rounded up (1.5 cores are two threads that rest for a
// quarter of the time), if that is less. Read once.
int AvailableCores();

// How many cores that is.
int CoresOf(int affinity, const std::optional<double>& quota);

// Threads of an evaluation unless somebody says otherwise: OMP_NUM_THREADS if
// it is a number over 0, else AvailableCores().
int DefaultThreads();

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_AVAILABLE_CORES_H_
