#include "worker/nn/upsample_2d.h"

#include "ATen/ops/empty.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "absl/strings/match.h"

namespace genzo {
namespace {

// Its results begin one place before the map and end one behind it: parity 0
// takes the first of them, parity 1 the last.
constexpr ConvGeometry kParity = {.kernel = 2, .stride = 1, .padding = 1};

// Three taps on the enlarged map's rows (or columns) are two on the map's own:
// of the places that a row of this parity sees, two are the same one.
at::Tensor Fold(const at::Tensor& weight, int64_t dim, int parity) {
  const auto tap = [&](int64_t i) { return weight.select(dim, i); };
  return parity == 0 ? at::stack({tap(0), tap(1) + tap(2)}, dim)
                     : at::stack({tap(0) + tap(1), tap(2)}, dim);
}

}  // namespace

Upsample2D::Upsample2D(const Weights& weights, int64_t channels)
    : conv(weights["conv"], channels, channels) {
  if (!conv.packed) return;
  const at::Tensor weight =
      weights["conv"].PeekFloat("weight", {channels, channels, 3, 3});
  if (weight.dim() != 4) return;  // Weights reports a fault
  for (int row = 0; row < 2; ++row) {
    for (int column = 0; column < 2; ++column) {
      const at::Tensor folded = Fold(Fold(weight, 2, row), 3, column);
      parities.emplace_back(folded.to(conv.bias.scalar_type()), conv.bias,
                            kParity);
      weights.AddBytes(static_cast<int64_t>(folded.numel()) *
                       static_cast<int64_t>(conv.bias.element_size()));
    }
  }
}

int64_t Upsample2D::ElementsMade(const std::string& name, int64_t elements,
                                 const at::Tensor& example) {
  const bool is_mine = absl::StrContains(name, ".upsamplers.") &&
                       absl::EndsWith(name, ".conv.weight");
  return is_mine && CanPack(example) ? elements / 9 * 16 : 0;
}

at::Tensor Upsample2D::forward(const at::Tensor& x, at::IntArrayRef size,
                               const EvalContext& adapters) const {
  const int64_t height = x.size(2);
  const int64_t width = x.size(3);
  if (parities.empty() || size[0] != 2 * height || size[1] != 2 * width) {
    return conv.forward(at::upsample_nearest2d(x, size), adapters);
  }
  const at::Tensor out = at::empty(
      {x.size(0), height, 2, width, 2, conv.bias.size(0)}, x.options());
  for (int64_t row = 0; row < 2; ++row) {
    for (int64_t column = 0; column < 2; ++column) {
      const at::Tensor y = parities[2 * row + column].forward(x);
      out.select(4, column).select(2, row).copy_(y.narrow(2, row, height)
                                                     .narrow(3, column, width)
                                                     .permute({0, 2, 3, 1}));
    }
  }
  const at::Tensor y =
      out.view({x.size(0), 2 * height, 2 * width, -1}).permute({0, 3, 1, 2});
  if (adapters.Adapts(conv.name)) {
    conv.AddDeltas(adapters, at::upsample_nearest2d(x, size), y);
  }
  return y;
}

}  // namespace genzo
