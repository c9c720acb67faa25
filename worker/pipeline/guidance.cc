#include "worker/pipeline/guidance.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/std.h"

namespace genzo {

at::Tensor ApplyGuidance(const at::Tensor& rows, const Guidance& guidance) {
  if (guidance.rows == 1) return rows;
  const auto weak = static_cast<int64_t>(guidance.weak_scales.size());
  const int64_t whole = guidance.rows - weak;
  const at::Tensor unconditional = rows.narrow(0, 0, 1);
  const at::Tensor conditional = rows.narrow(0, whole - 1, 1);
  at::Tensor guided = conditional;
  if (whole == 3) {
    const at::Tensor picture = rows.narrow(0, 1, 1);
    guided = unconditional + guidance.scale * (conditional - picture) +
             guidance.image_scale * (picture - unconditional);
  } else if (whole == 2) {
    guided = unconditional + guidance.scale * (conditional - unconditional);
  }
  for (int64_t i = 0; i < weak; ++i) {
    guided = guided + guidance.weak_scales[i] *
                          (conditional - rows.narrow(0, whole + i, 1));
  }
  if (guidance.rescale == 0 || whole == 1) return guided;
  const at::Tensor rescaled = guided * (at::std(conditional) / at::std(guided));
  return guidance.rescale * rescaled + (1 - guidance.rescale) * guided;
}

}  // namespace genzo
