#include "worker/nn/adapters.h"

#include "ATen/ops/gelu.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/nn/layers.h"

namespace genzo {
namespace {

constexpr char kLayer[] = "block.to_q";

std::shared_ptr<const AdapterSet> Adapter(const LayerDelta& delta) {
  return std::make_shared<AdapterSet>(AdapterSet{{{kLayer, {delta}}}});
}

class AdaptersTest : public ::testing::Test {
 protected:
  // Row 0 has no adapter, rows 1 and 2 have one, row 3 another.
  EvalContext Mixed(const LayerDelta& a, const LayerDelta& b) const {
    return EvalContext({{1, 2, Adapter(a)}, {3, 1, Adapter(b)}});
  }

  c10::InferenceMode inference_;
};

TEST_F(AdaptersTest, EachRowOfALinearLayerHasItsOwnDelta) {
  const at::Tensor weight = at::randn({6, 8});
  const at::Tensor bias = at::randn({6});
  const Linear linear(weight, bias, kLayer);
  const LayerDelta a = {at::randn({2, 8}), at::randn({6, 2}), 0.5};
  const LayerDelta b = {at::randn({3, 8}), at::randn({6, 3}), -2};
  const auto merged = [&](const LayerDelta& delta) {
    return Linear(weight + delta.scale * at::matmul(delta.up, delta.down),
                  bias);
  };
  const at::Tensor x = at::randn({4, 5, 8});
  const at::Tensor y = linear.forward(x, Mixed(a, b));
  const auto rows = [](const at::Tensor& t, int64_t first, int64_t count) {
    return t.narrow(0, first, count);
  };
  EXPECT_THAT(rows(y, 0, 1), TensorEquals(linear.forward(rows(x, 0, 1))));
  EXPECT_THAT(rows(y, 1, 2),
              TensorNear(merged(a).forward(rows(x, 1, 2)), 1e-5));
  EXPECT_THAT(rows(y, 3, 1),
              TensorNear(merged(b).forward(rows(x, 3, 1)), 1e-5));
}

TEST_F(AdaptersTest, FusedOperationsFollowTheDelta) {
  const Linear linear(at::randn({6, 8}), at::randn({6}), kLayer);
  const LayerDelta a = {at::randn({2, 8}), at::randn({6, 2}), 1};
  const EvalContext context = Mixed(a, a);
  const at::Tensor x = at::randn({4, 5, 8});
  const at::Tensor other = at::randn({4, 5, 6});
  const at::Tensor y = linear.forward(x, context);
  EXPECT_THAT(linear.forward_gelu(x, context), TensorNear(at::gelu(y), 1e-5));
  EXPECT_THAT(linear.forward_add(x, other, context),
              TensorNear(y + other, 1e-5));
  EXPECT_THAT(linear.forward_mul(x, other, context),
              TensorNear(y * other, 1e-5));
}

TEST_F(AdaptersTest, APartOfALayerTakesItsPartOfTheDelta) {
  const at::Tensor weight = at::randn({6, 8});
  const at::Tensor bias = at::randn({6});
  const LayerDelta a = {at::randn({2, 8}), at::randn({6, 2}), 1};
  const EvalContext context(std::vector<AdapterSegment>{{0, 2, Adapter(a)}});
  const at::Tensor x = at::randn({2, 8});
  const at::Tensor whole = Linear(weight, bias, kLayer).forward(x, context);
  const Linear half(weight.narrow(0, 3, 3), bias.narrow(0, 3, 3), kLayer,
                    /*first_out=*/3);
  EXPECT_THAT(half.forward(x, context),
              TensorNear(whole.narrow(1, 3, 3), 1e-5));
}

TEST_F(AdaptersTest, EachRowOfAConvolutionHasItsOwnDelta) {
  const at::Tensor weight = at::randn({4, 3, 3, 3});
  const at::Tensor bias = at::randn({4});
  for (const int64_t stride : {1, 2}) {
    const ConvGeometry geometry = {.kernel = 3, .stride = stride, .padding = 1};
    Conv2d conv(weight, bias, geometry);
    conv.name = kLayer;
    const LayerDelta a = {at::randn({2, 3, 3, 3}), at::randn({4, 2, 1, 1}),
                          0.5};
    const at::Tensor merged =
        weight +
        a.scale *
            at::matmul(a.up.flatten(1), a.down.flatten(1)).view({4, 3, 3, 3});
    const at::Tensor x = at::randn({4, 3, 6, 6});
    const at::Tensor y = conv.forward(
        x, EvalContext(std::vector<AdapterSegment>{{1, 2, Adapter(a)}}));
    EXPECT_THAT(y.narrow(0, 0, 1),
                TensorEquals(conv.forward(x.narrow(0, 0, 1))));
    EXPECT_THAT(
        y.narrow(0, 1, 2),
        TensorNear(Conv2d(merged, bias, geometry).forward(x.narrow(0, 1, 2)),
                   1e-5));
  }
}

// In every type: fused operations round once, others twice.
TEST_F(AdaptersTest, ARowsBitsDoNotDependOnOthersDeltas) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto random = [&](at::IntArrayRef sizes) {
      return at::randn(sizes).to(dtype);
    };
    const Linear linear(random({6, 8}), random({6}), kLayer);
    const EvalContext context = Mixed({random({2, 8}), random({6, 2}), 1},
                                      {random({2, 8}), random({6, 2}), 2});
    const at::Tensor x = random({4, 5, 8});
    const at::Tensor other = random({4, 5, 6});
    const auto first = [](const at::Tensor& t) { return t.narrow(0, 0, 1); };
    EXPECT_THAT(first(linear.forward_gelu(x, context)),
                TensorEquals(first(linear.forward_gelu(x))));
    EXPECT_THAT(first(linear.forward_add(x, other, context)),
                TensorEquals(first(linear.forward_add(x, other))));
    EXPECT_THAT(first(linear.forward_mul(x, other, context)),
                TensorEquals(first(linear.forward_mul(x, other))));
  }
}

// Sums are long enough to be cut into parts, rows enough to show it.
TEST_F(AdaptersTest, ARowsBitsDoNotDependOnWhoSharesItsAdapter) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto random = [&](at::IntArrayRef sizes) {
      return (at::randn(sizes) / 8).to(dtype);
    };
    const Linear linear(random({64, 1024}), random({64}), kLayer);
    const LayerDelta first = {random({4, 1024}), random({64, 4}), 1};
    const LayerDelta second = {random({3, 1024}), random({64, 3}), -2};
    const LayerDelta whole = {.whole = random({64, 1024})};
    const at::Tensor longer = random({6, 100, 1024});
    for (const auto& deltas : {std::vector{first}, std::vector{first, second},
                               std::vector{first, whole}}) {
      auto set = std::make_shared<AdapterSet>();
      set->layers[kLayer] = deltas;
      const auto context = [&](int64_t rows) {
        return EvalContext({{.first_row = 0, .rows = rows, .adapters = set}});
      };
      // A part of longer rows, too, which lie apart where there are several.
      for (const at::Tensor& x :
           {random({6, 80, 1024}), longer.narrow(1, 10, 80)}) {
        const at::Tensor together = linear.forward(x, context(6));
        for (int64_t row = 0; row < 6; ++row) {
          EXPECT_THAT(linear.forward(x.narrow(0, row, 1), context(1)),
                      TensorEquals(together.narrow(0, row, 1)))
              << dtype << ", row " << row << ", " << deltas.size();
        }
      }
    }
  }
}

TEST_F(AdaptersTest, LayersThatNobodyNamesAreLeftAlone) {
  const Linear linear(at::randn({6, 8}), at::randn({6}), "block.to_k");
  const LayerDelta a = {at::randn({2, 8}), at::randn({6, 2}), 1};
  const at::Tensor x = at::randn({4, 8});
  EXPECT_THAT(linear.forward(x, Mixed(a, a)), TensorEquals(linear.forward(x)));
}

}  // namespace
}  // namespace genzo
