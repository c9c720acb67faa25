#include "worker/kernels/row_bits.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/max.h"
#include "ATen/ops/ne.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/sum.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::Pair;

TEST(RowBitsTest, PairedNumbersAddUpToNothing) {
  for (const int64_t count : {2, 7, 64}) {
    const at::Tensor x = PairedNumbers({3, count}, 1, -1, at::kDouble);
    const at::Tensor w = PairedNumbers({5, count}, 1, 1, at::kDouble);
    EXPECT_LT(at::linear(x, w).abs().max().item<double>(), 1e-12);
    EXPECT_GT(x.abs().max().item<double>(), 0.1);
    EXPECT_GT(w.abs().max().item<double>(), 0.1);
  }
}

// A sum of halves is another one than that in order: it has to show in either
// type, though bfloat16 rounds most of it away elsewhere.
TEST(RowBitsTest, TheirSumsShowAnotherOrder) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = PairedNumbers({1, 512}, 1, -1, dtype).to(at::kFloat);
    const at::Tensor w = PairedNumbers({64, 512}, 1, 1, dtype).to(at::kFloat);
    at::Tensor in_order = at::zeros({64}), halves = at::zeros({64});
    at::Tensor second = at::zeros({64});
    for (int64_t i = 0; i < 512; ++i) {
      const at::Tensor term = w.select(1, i) * x[0][i];
      in_order += term;
      (i < 256 ? halves : second) += term;
    }
    const at::Tensor differ =
        in_order.to(dtype).ne((halves + second).to(dtype));
    EXPECT_GT(differ.sum().item<int64_t>(), 48) << dtype;
  }
}

TEST(RowBitsTest, RemembersWhatWasFoundOut) {
  const LayerKey key = {-1, -2, -3};
  EXPECT_FALSE(KeepsRowBits(key).has_value());
  SetKeepsRowBits(key, false);
  EXPECT_EQ(KeepsRowBits(key), false);
  SetKeepsRowBits(key, true);
  EXPECT_EQ(KeepsRowBits(key), true);
  EXPECT_THAT(AllRowBits(), Contains(Pair(key, true)));
}

TEST(RowBitsTest, AThreadTriesLargeLayersWhileItSaysSo) {
  EXPECT_FALSE(TryingRowBits::Now());
  {
    const TryingRowBits outer;
    { const TryingRowBits inner; }
    EXPECT_TRUE(TryingRowBits::Now());
  }
  EXPECT_FALSE(TryingRowBits::Now());
}

TEST(RowBitsTest, ElsewhereLargeLayersAreTriedSeldom) {
  TriedLargeLayer(std::chrono::seconds(0));
  EXPECT_TRUE(MayTryLargeLayer());
  TriedLargeLayer(std::chrono::hours(1));
  EXPECT_FALSE(MayTryLargeLayer());
  {
    const TryingRowBits trying;
    EXPECT_TRUE(MayTryLargeLayer());
  }
  EXPECT_FALSE(MayTryLargeLayer());
  TriedLargeLayer(std::chrono::seconds(0));
  EXPECT_TRUE(MayTryLargeLayer());
}

TEST(RowBitsTest, RowsOneByOneAreThoseOfTheLayer) {
  const at::Tensor x = at::randn({3, 2, 4});
  const at::Tensor other = at::randn({3, 2, 4});
  int calls = 0;
  const at::Tensor y =
      OneByOne(x, other, [&](const at::Tensor& a, const at::Tensor& b) {
        ++calls;
        return a + b;
      });
  EXPECT_EQ(calls, 3);
  EXPECT_THAT(y, TensorEquals(x + other));
  EXPECT_THAT(OneByOne(x, at::Tensor(),
                       [](const at::Tensor& a, const at::Tensor& b) {
                         EXPECT_FALSE(b.defined());
                         return a * 2;
                       }),
              TensorEquals(x * 2));
}

}  // namespace
}  // namespace genzo
