// Preloaded: the machine's date is off by as many seconds as the file
// $GENZO_DATE_OFF holds, an int64 that may change at any time. As the kernel
// does, waits until a date end when that has come, however it came: those of
// abseil, which waits by futexes. Time since the start is left alone.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t* g_off;

__attribute__((constructor)) static void Begin(void) {
  const char* const path = getenv("GENZO_DATE_OFF");
  const int file = path == NULL ? -1 : open(path, O_RDONLY);
  if (file < 0) return;
  void* const off = mmap(NULL, sizeof(*g_off), PROT_READ, MAP_SHARED, file, 0);
  if (off != MAP_FAILED) g_off = off;
  close(file);
}

// By hand: allocators ask the kernel before dlsym() can look anything up.
static long Ask(long number, const long a[6]) {
#if defined(__x86_64__)
  long result;
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10),
                     "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
#elif defined(__aarch64__)
  register long x8 __asm__("x8") = number;
  register long result __asm__("x0") = a[0];
  register long x1 __asm__("x1") = a[1];
  register long x2 __asm__("x2") = a[2];
  register long x3 __asm__("x3") = a[3];
  register long x4 __asm__("x4") = a[4];
  register long x5 __asm__("x5") = a[5];
  __asm__ volatile("svc 0"
                   : "+r"(result)
                   : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                   : "memory");
#else
#error another processor
#endif
  if (result >= 0 || result < -4095) return result;
  errno = (int)-result;
  return -1;
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const long asked[6] = {clock, (long)time, 0, 0, 0, 0};
  const long result = Ask(SYS_clock_gettime, asked);
  if (g_off != NULL &&
      (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    time->tv_sec += *g_off;
  }
  return (int)result;
}

time_t time(time_t* seconds) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (seconds != NULL) *seconds = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval* now, void* zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}

// A futex's wait until a date, in slices, each of which looks at it anew.
static long WaitUntil(const struct timespec* date, const long a[6]) {
  const int64_t kSlice = 50000000;  // ns
  for (;;) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const __int128 left = ((__int128)date->tv_sec - now.tv_sec) * 1000000000 +
                          date->tv_nsec - now.tv_nsec;
    if (left <= 0) {
      errno = ETIMEDOUT;
      return -1;
    }
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += left < kSlice ? (int64_t)left : kSlice;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    const long slice[6] = {
        a[0], a[1] & ~(long)FUTEX_CLOCK_REALTIME, a[2], (long)&until, 0, a[5]};
    const long result = Ask(SYS_futex, slice);
    if (result == 0 || errno != ETIMEDOUT) return result;
  }
}

long syscall(long number, ...) {
  long a[6];
  va_list arguments;
  va_start(arguments, number);
  for (int i = 0; i < 6; ++i) a[i] = va_arg(arguments, long);
  va_end(arguments);
  const int by_date = number == SYS_futex && a[3] != 0 &&
                      (a[1] & FUTEX_CLOCK_REALTIME) != 0 &&
                      (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
  return by_date ? WaitUntil((const struct timespec*)a[3], a) : Ask(number, a);
}
