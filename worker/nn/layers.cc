#include "worker/nn/layers.h"

#include "ATen/ops/conv2d.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/silu.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/kernels/group_norm.h"

namespace genzo {

Linear::Linear(const Weights& weights, int64_t in, int64_t out, bool has_bias)
    : Linear(weights.Get("weight", {out, in}),
             has_bias ? weights.Get("bias", {out}) : at::Tensor(),
             weights.path()) {}

Linear::Linear(const at::Tensor& weight, const at::Tensor& bias,
               std::string name, int64_t first_out)
    : name(std::move(name)),
      first_out(first_out),
      outputs(weight.size(0)),
      packed(CanPack(weight)),
      weight(packed ? PackLinear(weight) : weight),
      bias(bias) {}

at::Tensor Linear::Plain(const at::Tensor& x) const {
  return packed ? PackedLinear(x, weight, bias, "none")
                : at::linear(x, weight, bias);
}

template <typename Visit>
void Linear::ForDeltas(const EvalContext& context, const at::Tensor& x,
                       const Visit& visit) const {
  context.ForDeltas(
      name, [&](const AdapterSegment& segment, const LowRankDelta& delta) {
        const at::Tensor rows = x.narrow(0, segment.first_row, segment.rows);
        visit(segment, at::linear(at::linear(rows, delta.down),
                                  delta.up.narrow(0, first_out, outputs)) *
                           delta.scale);
      });
}

void Linear::AddDeltas(const EvalContext& context, const at::Tensor& x,
                       const at::Tensor& y) const {
  ForDeltas(context, x,
            [&](const AdapterSegment& rows, const at::Tensor& delta) {
              y.narrow(0, rows.first_row, rows.rows).add_(delta);
            });
}

at::Tensor Linear::forward(const at::Tensor& x,
                           const EvalContext& context) const {
  const at::Tensor y = Plain(x);
  AddDeltas(context, x, y);
  return y;
}

at::Tensor Linear::forward_gelu(const at::Tensor& x,
                                const EvalContext& context) const {
  at::Tensor y =
      packed ? PackedLinear(x, weight, bias, "gelu") : at::gelu(Plain(x));
  ForDeltas(
      context, x, [&](const AdapterSegment& rows, const at::Tensor& delta) {
        y.narrow(0, rows.first_row, rows.rows)
            .copy_(at::gelu(Plain(x.narrow(0, rows.first_row, rows.rows)) +
                            delta));
      });
  return y;
}

at::Tensor Linear::forward_add(const at::Tensor& x, const at::Tensor& other,
                               const EvalContext& context) const {
  const at::Tensor y = packed
                           ? PackedLinearBinary(x, weight, bias, other, "add")
                           : Plain(x) + other;
  AddDeltas(context, x, y);
  return y;
}

at::Tensor Linear::forward_mul(const at::Tensor& x, const at::Tensor& other,
                               const EvalContext& context) const {
  at::Tensor y = packed ? PackedLinearBinary(x, weight, bias, other, "mul")
                        : Plain(x) * other;
  ForDeltas(context, x,
            [&](const AdapterSegment& rows, const at::Tensor& delta) {
              y.narrow(0, rows.first_row, rows.rows)
                  .add_(delta * other.narrow(0, rows.first_row, rows.rows));
            });
  return y;
}

Conv2d::Conv2d(const Weights& weights, int64_t in, int64_t out,
               const ConvGeometry& geometry, bool has_bias)
    : name(weights.path()),
      weight(
          weights.Get("weight", {out, in, geometry.kernel, geometry.kernel})),
      bias(has_bias ? weights.Get("bias", {out}) : at::Tensor()),
      geometry(geometry) {
  Pack();
}

Conv2d::Conv2d(const at::Tensor& weight, const at::Tensor& bias,
               const ConvGeometry& geometry)
    : weight(weight), bias(bias), geometry(geometry) {
  Pack();
}

void Conv2d::Pack() {
  packed = CanPack(weight);
  if (packed && pointwise()) {
    weight = PackLinear(weight.flatten(1));
  } else if (packed) {
    weight = PackConv2d(weight, geometry);
  } else if (weight.dim() == 4) {  // not where Weights reports a fault
    weight = weight.contiguous(at::MemoryFormat::ChannelsLast);
  }
}

namespace {

// [B, C, H, W] and [B, H, W, C]: views of each other, channels last.
at::Tensor ToPlaces(const at::Tensor& x) { return x.permute({0, 2, 3, 1}); }
at::Tensor ToMaps(const at::Tensor& x) { return x.permute({0, 3, 1, 2}); }

}  // namespace

at::Tensor Conv2d::Plain(const at::Tensor& x) const {
  if (!packed) {
    return at::conv2d(x, weight, bias, geometry.stride, geometry.padding);
  }
  return pointwise() ? ToMaps(PackedLinear(ToPlaces(x), weight, bias, "none"))
                     : PackedConv2d(x, weight, bias, geometry, "none");
}

void Conv2d::AddDeltas(const EvalContext& context, const at::Tensor& x,
                       const at::Tensor& y) const {
  context.ForDeltas(
      name, [&](const AdapterSegment& segment, const LowRankDelta& delta) {
        const at::Tensor rows = x.narrow(0, segment.first_row, segment.rows);
        y.narrow(0, segment.first_row, segment.rows)
            .add_(at::conv2d(at::conv2d(rows, delta.down, /*bias=*/{},
                                        geometry.stride, geometry.padding),
                             delta.up),
                  delta.scale);
      });
}

at::Tensor Conv2d::forward(const at::Tensor& x,
                           const EvalContext& context) const {
  const at::Tensor y = Plain(x);
  AddDeltas(context, x, y);
  return y;
}

at::Tensor Conv2d::forward_relu(const at::Tensor& x) const {
  return packed && !pointwise()
             ? PackedConv2d(x, weight, bias, geometry, "relu")
             : forward(x).relu_();
}

at::Tensor Conv2d::PlainAdd(const at::Tensor& x,
                            const at::Tensor& other) const {
  if (!packed) return Plain(x) + other;
  if (pointwise()) {
    return ToMaps(
        PackedLinearBinary(ToPlaces(x), weight, bias, ToPlaces(other), "add"));
  }
  // The fused form refuses maps whose strides say nothing.
  const bool flat = other.size(2) == 1 || other.size(3) == 1;
  return flat ? Plain(x) + other
              : PackedConv2dAdd(x, weight, bias, other, geometry);
}

at::Tensor Conv2d::forward_add(const at::Tensor& x, const at::Tensor& other,
                               const EvalContext& context) const {
  const at::Tensor y = PlainAdd(x, other);
  AddDeltas(context, x, y);
  return y;
}

GroupNorm::GroupNorm(const Weights& weights, int64_t groups, int64_t channels,
                     double eps)
    : weight(weights.GetFloat("weight", {channels})),
      bias(weights.GetFloat("bias", {channels})),
      groups(groups),
      eps(eps) {}

at::Tensor GroupNorm::Normalise(const at::Tensor& x, const at::Tensor& shift,
                                bool silu) const {
  const at::ScalarType dtype = x.scalar_type();
  const GroupNormOptions options = {.groups = groups, .eps = eps, .silu = silu};
  if (x.is_cpu() && (dtype == at::kFloat || dtype == at::kBFloat16)) {
    return ChannelsLastGroupNorm(x, shift, weight, bias, options);
  }
  if (x.is_cuda()) {
    const auto cuda = OpenCudaBackend();
    if (cuda.ok() && (*cuda)->CanGroupNorm(x)) {
      return (*cuda)->GroupNorm(x, shift, weight, bias, options);
    }
  }
  const at::Tensor shifted =
      shift.defined() ? x + shift.to(dtype).unsqueeze(-1).unsqueeze(-1) : x;
  const at::Tensor normed =
      at::group_norm(shifted, groups, weight.to(dtype), bias.to(dtype), eps);
  return silu ? at::silu(normed) : normed;
}

at::Tensor GroupNorm::forward(const at::Tensor& x) const {
  return Normalise(x, /*shift=*/{}, /*silu=*/false);
}

at::Tensor GroupNorm::forward_silu(const at::Tensor& x,
                                   const at::Tensor& shift) const {
  return Normalise(x, shift, /*silu=*/true);
}

LayerNorm::LayerNorm(const Weights& weights, int64_t size, double eps)
    : weight(weights.Get("weight", {size})),
      bias(weights.Get("bias", {size})),
      eps(eps) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps);
}

}  // namespace genzo
