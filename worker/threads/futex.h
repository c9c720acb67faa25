#ifndef GENZO_WORKER_THREADS_FUTEX_H_
#define GENZO_WORKER_THREADS_FUTEX_H_

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace genzo {

// Linux's futex(2): sleeping on a word without spinning first, which
// std::atomic::wait does not promise.

// Sleeps while `word` is `value`, at most for `limit` if there is one; may wake
// for no reason.
inline void FutexWait(const std::atomic<uint32_t>& word, uint32_t value,
                      const timespec* limit = nullptr) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, limit, nullptr, 0);
}

// Wakes up to `count` of those who sleep on the word at that address, which
// need not exist any more.
inline void FutexWake(const std::atomic<uint32_t>* word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

}  // namespace genzo

#endif  // GENZO_WORKER_THREADS_FUTEX_H_
