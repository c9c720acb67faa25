#include "worker/pipeline/guidance.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/std.h"

namespace genzo {

at::Tensor ApplyGuidance(const at::Tensor& rows, const Guidance& guidance) {
  if (guidance.rows == 1) return rows;
  const at::Tensor unconditional = rows.narrow(0, 0, 1);
  const at::Tensor conditional = rows.narrow(0, guidance.rows - 1, 1);
  at::Tensor guided;
  if (guidance.rows == 3) {
    const at::Tensor picture = rows.narrow(0, 1, 1);
    guided = unconditional + guidance.scale * (conditional - picture) +
             guidance.image_scale * (picture - unconditional);
  } else {
    guided = unconditional + guidance.scale * (conditional - unconditional);
  }
  if (guidance.rescale == 0) return guided;
  const at::Tensor rescaled = guided * (at::std(conditional) / at::std(guided));
  return guidance.rescale * rescaled + (1 - guidance.rescale) * guided;
}

}  // namespace genzo
