#include "worker/nn/downsample_2d.h"

#include "ATen/ops/constant_pad_nd.h"

namespace genzo {

Downsample2D::Downsample2D(const Weights& weights, int64_t channels,
                           int64_t padding)
    : conv(weights["conv"], channels, channels,
           {.kernel = 3, .stride = 2, .padding = padding}) {}

at::Tensor Downsample2D::forward(const at::Tensor& x,
                                 const EvalContext& adapters) const {
  if (conv.geometry.padding > 0) return conv.forward(x, adapters);
  return conv.forward(at::constant_pad_nd(x, {0, 1, 0, 1}, 0), adapters);
}

}  // namespace genzo
