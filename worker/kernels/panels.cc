#include "worker/kernels/panels.h"

#include "ATen/Context.h"

namespace genzo {

bool CanMultiplyPanels(at::ScalarType type, int64_t depth) {
  static const bool enabled = at::globalContext().userEnabledMkldnn();
  if (!enabled) return false;
  if (type == at::kFloat) return __builtin_cpu_supports("avx2");
  // LibTorch's own question, could_pack(), says yes only where there is AMX.
  return type == at::kBFloat16 && depth % 2 == 0 &&
         __builtin_cpu_supports("avx512bf16");
}

}  // namespace genzo
