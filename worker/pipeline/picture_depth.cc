#include "worker/pipeline/picture_depth.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/upsample_bicubic2d.h"
#include "ATen/ops/zeros_like.h"

namespace genzo {

at::Tensor DepthBeside(const at::Tensor& depth, int64_t height, int64_t width) {
  const at::Tensor resized = at::upsample_bicubic2d(
      depth.to(at::kFloat), {height, width}, /*align_corners=*/false);
  const at::Tensor least = resized.amin();
  const at::Tensor range = resized.amax() - least;
  if (range.item<float>() == 0) return at::zeros_like(resized);
  return 2.0 * (resized - least) / range - 1.0;
}

}  // namespace genzo
