#include "worker/nn/layers.h"

#include "ATen/ops/conv2d.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/layer_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/silu.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/match.h"
#include "worker/kernels/cuda_backend.h"
#include "worker/kernels/group_norm.h"
#include "worker/kernels/winograd.h"
#include "worker/threads/pause_point.h"

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
  PausePoint();
  return packed ? PackedLinear(x, weight, bias, "none")
                : at::linear(x, weight, bias);
}

void Linear::AddDeltas(const std::vector<LayerDelta>& deltas,
                       const at::Tensor& x, const at::Tensor& y) const {
  for (const LayerDelta& delta : deltas) {
    AddDelta(delta, first_out, x, y);
    if (!delta.gain.defined()) continue;
    const at::Tensor own = Plain(x);
    y.addcmul_(bias.defined() ? own - bias : own,
               delta.gain.narrow(0, first_out, outputs));
  }
}

void Linear::AddDeltas(const EvalContext& context, const at::Tensor& x,
                       const at::Tensor& y) const {
  if (context.empty()) return;
  const bool added = AddProducts(context, name, first_out, x, y);
  context.ForParts(
      name, added, x, y,
      [&](const std::vector<LayerDelta>& deltas, const at::Tensor& part,
          const at::Tensor& sum) { AddDeltas(deltas, part, sum); });
  context.ForRows(name, [&](const RowDeltas& deltas) {
    AddDelta(deltas, first_out, x, y);
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
  if (!context.Adapts(name)) {
    return packed ? PackedLinear(x, weight, bias, "gelu") : at::gelu(Plain(x));
  }
  at::Tensor y = Plain(x);
  AddDeltas(context, x, y);
  y = at::gelu(y);
  if (!packed) return y;
  // Fused operations round once: the rows that nobody adapts are as ever.
  const std::vector<bool> adapted = context.AdaptedRows(name, x.size(0));
  for (int64_t row = 0; row < x.size(0); ++row) {
    if (adapted[static_cast<size_t>(row)]) continue;
    y.narrow(0, row, 1).copy_(
        PackedLinear(x.narrow(0, row, 1), weight, bias, "gelu"));
  }
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
  if (!context.Adapts(name)) return y;
  const at::Tensor deltas = at::zeros_like(y);
  AddDeltas(context, x, deltas);
  return y.addcmul_(deltas, other);
}

Conv2d::Conv2d(const Weights& weights, int64_t in, int64_t out,
               const ConvGeometry& geometry, bool has_bias)
    : name(weights.path()),
      weight(
          weights.Get("weight", {out, in, geometry.kernel, geometry.kernel})),
      bias(has_bias ? weights.Get("bias", {out}) : at::Tensor()),
      geometry(geometry) {
  const auto given = static_cast<int64_t>(weight.nbytes());
  Pack();
  if (winograd) weights.AddBytes(weight.nbytes() - given);
}

Conv2d::Conv2d(const at::Tensor& weight, const at::Tensor& bias,
               const ConvGeometry& geometry)
    : weight(weight), bias(bias), geometry(geometry) {
  Pack();
}

int64_t Conv2d::ElementsMade(const std::string& name, at::IntArrayRef sizes,
                             const at::Tensor& example) {
  const bool strides = absl::StrContains(name, ".downsamplers.");
  if (strides || sizes.size() != 4) return 0;
  const at::Tensor weight = example.expand(sizes);
  const ConvGeometry geometry = {.kernel = sizes[3]};
  return CanWinograd(weight, geometry) ? weight.numel() / 9 * 7 : 0;
}

void Conv2d::Pack() {
  packed = CanPack(weight);
  winograd = CanWinograd(weight, geometry);
  if (winograd) {
    weight = PackWinograd(weight);
  } else if (packed && pointwise()) {
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
  PausePoint();
  if (!packed) {
    return at::conv2d(x, weight, bias, geometry.stride, geometry.padding);
  }
  if (winograd) {
    return WinogradConv2d(x, weight, bias, /*other=*/{}, /*relu=*/false);
  }
  return pointwise() ? ToMaps(PackedLinear(ToPlaces(x), weight, bias, "none"))
                     : PackedConv2d(x, weight, bias, geometry, "none");
}

void Conv2d::AddDeltas(const std::vector<LayerDelta>& deltas,
                       const at::Tensor& x, const at::Tensor& y) const {
  const auto convolve = [&](const at::Tensor& kernel) {
    return at::conv2d(x, kernel, /*bias=*/{}, geometry.stride,
                      geometry.padding);
  };
  const auto by_output = [](const at::Tensor& t) { return t.view({-1, 1, 1}); };
  for (const LayerDelta& delta : deltas) {
    if (pointwise()) {
      AddDelta(delta, /*first_out=*/0, ToPlaces(x), ToPlaces(y));
    } else if (delta.whole.defined()) {
      y.add_(convolve(delta.whole), delta.scale);
    } else {
      // A 1x1 convolution follows, a matrix product at every place.
      const at::Tensor up = delta.up.flatten(1);
      y.add_(ToMaps(at::linear(ToPlaces(convolve(delta.down)), up)),
             delta.scale);
    }
    if (!pointwise() && delta.bias.defined()) {
      y.add_(by_output(delta.bias), delta.scale);
    }
    if (!delta.gain.defined()) continue;
    const at::Tensor own = Plain(x);
    y.addcmul_(bias.defined() ? own - by_output(bias) : own,
               by_output(delta.gain));
  }
}

void Conv2d::AddDeltas(const RowDeltas& deltas, const at::Tensor& x,
                       const at::Tensor& y) const {
  if (pointwise()) {
    return AddDelta(deltas, /*first_out=*/0, ToPlaces(x), ToPlaces(y));
  }
  for (int64_t row = 0; row < x.size(0); ++row) {
    const at::Tensor h =
        at::conv2d(x.narrow(0, row, 1), deltas.down[row], /*bias=*/{},
                   geometry.stride, geometry.padding);
    y.narrow(0, row, 1).add_(ToMaps(at::linear(ToPlaces(h), deltas.up[row])));
  }
}

void Conv2d::AddDeltas(const EvalContext& context, const at::Tensor& x,
                       const at::Tensor& y) const {
  if (context.empty()) return;
  const bool added = pointwise() && AddProducts(context, name, /*first_out=*/0,
                                                ToPlaces(x), ToPlaces(y));
  context.ForParts(
      name, added, x, y,
      [&](const std::vector<LayerDelta>& deltas, const at::Tensor& part,
          const at::Tensor& sum) { AddDeltas(deltas, part, sum); });
  context.ForRows(name,
                  [&](const RowDeltas& deltas) { AddDeltas(deltas, x, y); });
}

at::Tensor Conv2d::forward(const at::Tensor& x,
                           const EvalContext& context) const {
  const at::Tensor y = Plain(x);
  AddDeltas(context, x, y);
  return y;
}

at::Tensor Conv2d::forward_relu(const at::Tensor& x) const {
  if (winograd) {
    return WinogradConv2d(x, weight, bias, /*other=*/{}, /*relu=*/true);
  }
  return packed && !pointwise()
             ? PackedConv2d(x, weight, bias, geometry, "relu")
             : forward(x).relu_();
}

at::Tensor Conv2d::PlainAdd(const at::Tensor& x,
                            const at::Tensor& other) const {
  if (!packed) return Plain(x) + other;
  if (winograd) {
    return WinogradConv2d(x, weight, bias, other, /*relu=*/false);
  }
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
  PausePoint();
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

at::Tensor GroupNorm::forward_through(Activation activation,
                                      const at::Tensor& x,
                                      const at::Tensor& shift) const {
  if (activation == Activation::kSilu) return forward_silu(x, shift);
  return Activate(Normalise(x, shift, /*silu=*/false), activation);
}

LayerNorm::LayerNorm(const Weights& weights, int64_t size, double eps)
    : weight(weights.Get("weight", {size})),
      bias(weights.Get("bias", {size})),
      eps(eps) {}

at::Tensor LayerNorm::forward(const at::Tensor& x) const {
  PausePoint();
  return at::layer_norm(x, {weight.size(0)}, weight, bias, eps);
}

}  // namespace genzo
