#include "worker/threads/available_cores.h"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>

#include "absl/strings/numbers.h"
#include "worker/threads/cgroup.h"

namespace genzo {
namespace {

int CoresOfAffinity() {
  cpu_set_t set;
  // Fails on machines with more cores than the set has bits.
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

}  // namespace

int CoresOf(int affinity, const std::optional<double>& quota) {
  const double cores =
      std::min<double>(affinity, std::ceil(quota.value_or(affinity)));
  return std::max(1, static_cast<int>(cores));
}

int AvailableCores() {
  static const int cores = CoresOf(CoresOfAffinity(), Cgroup().cores());
  return cores;
}

int DefaultThreads() {
  static const int threads = [] {
    int wanted = 0;
    const char* text = std::getenv("OMP_NUM_THREADS");
    const bool set = text != nullptr && absl::SimpleAtoi(text, &wanted);
    return set && wanted > 0 ? wanted : AvailableCores();
  }();
  return threads;
}

}  // namespace genzo
