#include "worker/nn/rotary_embedding.h"

#include <numeric>

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/cos.h"
#include "ATen/ops/pow.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/zeros.h"

namespace genzo {

Rotation RotationAt(int64_t origin, at::IntArrayRef grid,
                    const std::vector<int64_t>& axes,
                    const at::Device& device) {
  constexpr double kTheta = 10000;
  const auto options = at::TensorOptions(device).dtype(at::kDouble);
  const int64_t places = std::accumulate(grid.begin(), grid.end(), int64_t{1},
                                         std::multiplies<>());
  std::vector<at::Tensor> angles;
  int64_t outer = 1;
  for (size_t axis = 0; axis < axes.size(); ++axis) {
    const at::Tensor frequencies =
        at::pow(kTheta, at::arange(0, axes[axis], 2, options) /
                            -static_cast<double>(axes[axis]));  // [dim / 2]
    outer *= grid[axis];
    const at::Tensor of_axis =
        (at::arange(grid[axis], options).unsqueeze(1) * frequencies)
            .view({1, grid[axis], 1, -1})
            .expand({outer / grid[axis], -1, places / outer, -1})
            .flatten(0, 2);  // [places, dim / 2]
    angles.push_back(
        at::cat({at::zeros({origin, axes[axis] / 2}, options), of_axis}));
  }
  const at::Tensor all = at::cat(angles, 1);
  return {.cosines = at::cos(all).to(at::kFloat),
          .sines = at::sin(all).to(at::kFloat)};
}

at::Tensor Rotate(const at::Tensor& x, int64_t heads,
                  const Rotation& rotation) {
  const at::Tensor pairs = x.to(at::kFloat)
                               .unflatten(-1, {heads, -1})
                               .unflatten(-1, {-1, 2});  // [B, L, H, d / 2, 2]
  const at::Tensor first = pairs.select(-1, 0);
  const at::Tensor second = pairs.select(-1, 1);
  const at::Tensor cosines = rotation.cosines.unsqueeze(1);  // [L, 1, d / 2]
  const at::Tensor sines = rotation.sines.unsqueeze(1);
  return at::stack({first * cosines - second * sines,
                    second * cosines + first * sines},
                   -1)
      .flatten(2)
      .to(x.scalar_type());
}

}  // namespace genzo
