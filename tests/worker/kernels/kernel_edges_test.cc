// Edges of our own kernels: one element, no silu, no shift, what is refused.

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/kernels/flash_attention.h"
#include "worker/kernels/group_norm.h"
#include "worker/kernels/onednn.h"

namespace genzo {
namespace {

class KernelEdgesTest : public ::testing::Test {
 protected:
  static at::Tensor Last(const at::Tensor& x) {
    return x.contiguous(at::MemoryFormat::ChannelsLast);
  }

  const c10::InferenceMode inference_;
};

TEST_F(KernelEdgesTest, AttentionToEqualKeysIsTheMeanOfTheValues) {
  const at::Tensor q = at::randn({1, 3, 8});
  const at::Tensor k = at::randn({1, 1, 8}).expand({1, 70, 8}).contiguous();
  const at::Tensor v = at::randn({1, 70, 8});
  EXPECT_THAT(FlashAttention(q, k, v, 2),
              TensorNear(v.mean(1, true).expand({1, 3, 8}), 1e-6));
}

TEST_F(KernelEdgesTest, VerySmallScoresDoNotVanish) {
  const at::Tensor q = at::full({1, 2, 8}, -100.0f);
  const at::Tensor k = at::full({1, 5, 8}, 100.0f);
  const at::Tensor v = at::randn({1, 5, 8});
  EXPECT_THAT(FlashAttention(q, k, v, 1),
              TensorNear(v.mean(1, true).expand({1, 2, 8}), 1e-6));
}

TEST_F(KernelEdgesTest, AttentionTakesStridesOfAFusedProjection) {
  const at::Tensor qkv = at::randn({2, 6, 24});
  const auto part = [&](int64_t i) { return qkv.narrow(2, 8 * i, 8); };
  EXPECT_THAT(
      FlashAttention(part(0), part(1), part(2), 2),
      TensorEquals(FlashAttention(part(0).contiguous(), part(1).contiguous(),
                                  part(2).contiguous(), 2)));
}

TEST_F(KernelEdgesTest, AttentionInDoubleIsLibTorchs) {
  EXPECT_FALSE(CanFlashAttend(at::zeros({1}, at::kDouble), 8));
  EXPECT_FALSE(CanFlashAttend(at::zeros({1}, at::kHalf), 8));
  EXPECT_FALSE(CanFlashAttend(at::zeros({1}, at::kBFloat16), 7))
      << "pairs of odd heads do not fit";
  EXPECT_TRUE(CanFlashAttend(at::zeros({1}), 7));
}

TEST_F(KernelEdgesTest, HeadsThatDoNotDivideTheWidthAreRefused) {
  const at::Tensor x = at::zeros({1, 4, 8});
  EXPECT_THROW(FlashAttention(x, x, x, 3), c10::Error);
}

TEST_F(KernelEdgesTest, APictureOfOneColourBecomesTheBias) {
  const at::Tensor x = Last(at::full({2, 8, 4, 4}, 7.0f));
  const at::Tensor bias = at::randn({8});
  EXPECT_THAT(ChannelsLastGroupNorm(x, {}, at::randn({8}), bias,
                                    {.groups = 2, .eps = 1e-5}),
              TensorNear(bias.view({1, 8, 1, 1}).expand({2, 8, 4, 4}), 1e-3))
      << "but for rounding, 300 times as large as without a deviation";
}

TEST_F(KernelEdgesTest, NormalisedGroupsHaveNoMeanAndUnitVariance) {
  const at::Tensor x = Last(at::randn({1, 8, 16, 16}) * 3 + 5);
  const at::Tensor y = ChannelsLastGroupNorm(
      x, {}, at::ones({8}), at::zeros({8}), {.groups = 4, .eps = 1e-6});
  for (int group = 0; group < 4; ++group) {
    const at::Tensor part = y.narrow(1, 2 * group, 2);
    EXPECT_NEAR(part.mean().item<float>(), 0, 1e-4);
    EXPECT_NEAR(part.square().mean().item<float>(), 1, 1e-3);
  }
}

TEST_F(KernelEdgesTest, AShiftOfNothingIsNoShift) {
  const at::Tensor x = Last(at::randn({2, 8, 3, 5}));
  const at::Tensor weight = at::randn({8});
  const at::Tensor bias = at::randn({8});
  const GroupNormOptions options = {.groups = 2, .eps = 1e-5, .silu = true};
  EXPECT_THAT(
      ChannelsLastGroupNorm(x, at::zeros({2, 8}), weight, bias, options),
      TensorNear(ChannelsLastGroupNorm(x, {}, weight, bias, options), 1e-6));
}

TEST_F(KernelEdgesTest, AShiftOfAllChannelsAlikeIsNormalisedAway) {
  const at::Tensor x = Last(at::randn({1, 8, 6, 6}));
  const at::Tensor weight = at::ones({8});
  const at::Tensor bias = at::zeros({8});
  const GroupNormOptions options = {.groups = 2, .eps = 1e-5};
  EXPECT_THAT(
      ChannelsLastGroupNorm(x, at::full({1, 8}, 3.0f), weight, bias, options),
      TensorNear(ChannelsLastGroupNorm(x, {}, weight, bias, options), 1e-4));
}

TEST_F(KernelEdgesTest, GroupsThatDoNotDivideTheChannelsAreRefused) {
  const at::Tensor x = Last(at::zeros({1, 8, 2, 2}));
  EXPECT_THROW(ChannelsLastGroupNorm(x, {}, at::ones({8}), at::zeros({8}),
                                     {.groups = 3, .eps = 1e-5}),
               c10::Error);
  EXPECT_THROW(
      ChannelsLastGroupNorm(x, at::zeros({2, 8}), at::ones({8}), at::zeros({8}),
                            {.groups = 2, .eps = 1e-5}),
      c10::Error)
      << "a shift of two rows for one";
}

TEST_F(KernelEdgesTest, WeightsOfDoublesAreNotPacked) {
  EXPECT_FALSE(CanPack(at::zeros({4, 4}, at::kDouble)));
  EXPECT_FALSE(CanPack(at::zeros({4, 4}, at::kHalf)));
}

}  // namespace
}  // namespace genzo
