#include "worker/device/thread_count.h"

#include <dlfcn.h>

#include <algorithm>

#include "ATen/Parallel.h"

namespace genzo {
namespace {

// LibTorch sets a thread's counts on first use and not again: once in the
// library and once more in this program, because the flag that remembers it is
// a variable of an inline function.
void InitCounts() {
  at::get_num_threads();
  at::internal::lazy_init_num_threads();
}

}  // namespace

void UseThreads(int threads) {
  InitCounts();
  at::set_num_threads(threads);
}

void UseThreadsHere(int threads) {
  InitCounts();
  // at::set_num_threads would set MKL's count for the whole process. The
  // functions belong to the runtimes that LibTorch brought along, which have no
  // headers here; a build without MKL lacks the second.
  using SetOpenMp = void (*)(int);
  using SetMkl = int (*)(int);
  static const auto set_openmp =
      reinterpret_cast<SetOpenMp>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"));
  if (set_openmp != nullptr) set_openmp(threads);
  static const auto set_mkl = reinterpret_cast<SetMkl>(
      dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"));
  if (set_mkl != nullptr) set_mkl(threads);
}

ScopedThreads::ScopedThreads(int threads) : before_(at::get_num_threads()) {
  if (threads > 0 && threads != before_) UseThreadsHere(threads);
}

ScopedThreads::~ScopedThreads() {
  if (at::get_num_threads() != before_) UseThreadsHere(before_);
}

int ThreadsBesideDecoding(int threads, int cores) {
  return threads < cores ? threads : std::max(1, cores - 1);
}

}  // namespace genzo
