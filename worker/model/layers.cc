#include "worker/model/layers.h"

#include "ATen/ops/conv2d.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"

namespace genzo {

Linear::Linear(const Weights& weights, int64_t in, int64_t out, bool has_bias)
    : weight(weights.Get("weight", {out, in})),
      bias(has_bias ? weights.Get("bias", {out}) : at::Tensor()) {}

at::Tensor Linear::forward(const at::Tensor& x) const {
  return at::linear(x, weight, bias);
}

Conv2d::Conv2d(const Weights& weights, int64_t in, int64_t out,
               const ConvGeometry& geometry)
    : weight(
          weights.Get("weight", {out, in, geometry.kernel, geometry.kernel})),
      bias(weights.Get("bias", {out})),
      geometry(geometry) {}

at::Tensor Conv2d::forward(const at::Tensor& x) const {
  return at::conv2d(x, weight, bias, geometry.stride, geometry.padding);
}

GroupNorm::GroupNorm(const Weights& weights, int64_t groups, int64_t channels,
                     double eps)
    : weight(weights.Get("weight", {channels})),
      bias(weights.Get("bias", {channels})),
      groups(groups),
      eps(eps) {}

at::Tensor GroupNorm::forward(const at::Tensor& x) const {
  return at::group_norm(x, groups, weight, bias, eps);
}

LayerNorm::LayerNorm(const Weights& weights, int64_t size, double eps)
    : weight(weights.Get("weight", {size})),
      bias(weights.Get("bias", {size})),
      eps(eps) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps);
}

}  // namespace genzo
