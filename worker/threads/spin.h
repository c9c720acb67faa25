#ifndef GENZO_WORKER_THREADS_SPIN_H_
#define GENZO_WORKER_THREADS_SPIN_H_

#include <chrono>

namespace genzo {

// Whether `ready()` became true within `limit`. Keeps the core busy: for waits
// that are mostly shorter than going to sleep and waking up.
template <typename Ready>
bool SpinUntil(const Ready& ready, std::chrono::nanoseconds limit) {
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < 16; ++i) {
      if (ready()) return true;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  } while (std::chrono::steady_clock::now() - begin < limit);
  return ready();
}

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_SPIN_H_
