#include "worker/kernels/lanes.h"

namespace genzo {
namespace {

const Lanes& ChooseLanes() {
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512cd")) {
    return __builtin_cpu_supports("avx512bf16") ? kLanesBf16 : kLanesV4;
  }
  const bool v3 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  return v3 ? kLanesV3 : kLanesGeneric;
}

}  // namespace

const Lanes& BestLanes() {
  static const Lanes& best = ChooseLanes();
  return best;
}

}  // namespace genzo
