#include "worker/device/thread_count.h"

#include <dlfcn.h>

#include "ATen/Parallel.h"

extern "C" void omp_set_num_threads(int threads);

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
  // at::set_num_threads would set MKL's count for the whole process. This
  // function of MKL's, which LibTorch brings along, has no header here, and a
  // build without MKL lacks it.
  using SetMkl = int (*)(int);
  static const auto set_mkl = reinterpret_cast<SetMkl>(
      dlsym(RTLD_DEFAULT, "MKL_Set_Num_Threads_Local"));
  omp_set_num_threads(threads);
  if (set_mkl != nullptr) set_mkl(threads);
}

ScopedThreads::ScopedThreads(int threads) : before_(at::get_num_threads()) {
  if (threads != before_) UseThreads(threads);
}

ScopedThreads::~ScopedThreads() {
  if (at::get_num_threads() != before_) UseThreads(before_);
}

}  // namespace genzo
