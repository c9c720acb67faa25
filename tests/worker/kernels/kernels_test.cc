// Our own kernels against LibTorch's in double, and their promise that a row
// has the same bits in any company.

#include <sys/resource.h>

#include "ATen/TensorOperators.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/full.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/linear.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/scaled_dot_product_attention.h"
#include "ATen/ops/silu.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/process_memory.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/kernels/flash_attention.h"
#include "worker/kernels/group_norm.h"
#include "worker/kernels/lanes.h"
#include "worker/kernels/onednn.h"

namespace genzo {
namespace {

double Bound(at::ScalarType dtype) { return dtype == at::kFloat ? 2e-6 : 1e-2; }

struct AttentionCase {
  int64_t heads, head_size, queries, keys;
};

class FlashAttentionTest : public ::testing::TestWithParam<
                               std::tuple<AttentionCase, at::ScalarType>> {
 protected:
  c10::InferenceMode inference_;
};

TEST_P(FlashAttentionTest, EqualsItsDefinitionRowByRow) {
  // Not a structured binding: clang 14 lets no lambda capture it.
  const AttentionCase size = std::get<0>(GetParam());
  const at::ScalarType dtype = std::get<1>(GetParam());
  const at::Tensor probe = at::zeros({1}, dtype);
  if (!CanFlashAttend(probe, size.head_size)) GTEST_SKIP() << "not here";
  const int64_t width = size.heads * size.head_size;
  const at::Tensor q = at::randn({3, size.queries, width}).to(dtype);
  const at::Tensor k = at::randn({3, size.keys, width}).to(dtype);
  const at::Tensor v = at::randn({3, size.keys, width}).to(dtype);
  const auto split = [&](const at::Tensor& t) {
    return t.to(at::kDouble).unflatten(-1, {size.heads, -1}).transpose(1, 2);
  };
  const at::Tensor expected =
      at::scaled_dot_product_attention(split(q), split(k), split(v))
          .transpose(1, 2)
          .flatten(-2);
  const at::Tensor actual = FlashAttention(q, k, v, size.heads);
  EXPECT_THAT(actual.to(at::kDouble), TensorNear(expected, Bound(dtype)));
  for (int64_t row = 0; row < 3; ++row) {
    const auto one = [&](const at::Tensor& t) { return t.narrow(0, row, 1); };
    EXPECT_THAT(FlashAttention(one(q), one(k), one(v), size.heads),
                TensorEquals(one(actual)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, FlashAttentionTest,
    ::testing::Combine(::testing::Values(AttentionCase{8, 40, 130, 700},
                                         AttentionCase{8, 40, 64, 77},
                                         AttentionCase{2, 160, 16, 16},
                                         AttentionCase{16, 4, 256, 256},
                                         AttentionCase{1, 2, 1, 1},
                                         AttentionCase{1, 6, 5, 1100},
                                         AttentionCase{2, 72, 3, 65}),
                       ::testing::Values(at::kFloat, at::kBFloat16)));

TEST(FlashAttentionTest, RefusesWhatDoesNotFit) {
  const at::Tensor q = at::zeros({1, 4, 8});
  EXPECT_THROW(FlashAttention(q, at::zeros({1, 4, 6}), at::zeros({1, 4, 6}), 2),
               c10::Error);
  EXPECT_THROW(FlashAttention(q, at::zeros({2, 4, 8}), at::zeros({2, 4, 8}), 2),
               c10::Error);
}

TEST(FlashAttentionTest, LargeScoresDoNotOverflow) {
  const at::Tensor q = at::full({1, 4, 8}, 100.0f);
  const at::Tensor k = at::full({1, 4, 8}, 100.0f);
  const at::Tensor v = at::randn({1, 4, 8});
  EXPECT_THAT(FlashAttention(q, k, v, 1),
              TensorNear(v.mean(1, true).expand({1, 4, 8}), 1e-5));
}

class GroupNormTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  c10::InferenceMode inference_;
};

TEST_P(GroupNormTest, EqualsItsDefinitionRowByRow) {
  for (const auto& [channels, groups, height, width] :
       std::vector<std::array<int64_t, 4>>{
           {320, 32, 16, 16}, {96, 16, 5, 9}, {8, 2, 2, 2}, {70, 2, 3, 43}}) {
    // A mean far from zero is where careless sums lose digits.
    const at::Tensor x = (at::randn({3, channels, height, width}) * 0.5 + 20)
                             .to(GetParam())
                             .contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor shift = at::randn({3, channels});
    const at::Tensor weight = at::randn({channels});
    const at::Tensor bias = at::randn({channels});
    const GroupNormOptions options = {
        .groups = groups, .eps = 1e-5, .silu = true};
    const at::Tensor expected = at::silu(at::group_norm(
        x.to(at::kDouble) + shift.to(at::kDouble).view({3, channels, 1, 1}),
        groups, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5));
    const at::Tensor actual =
        ChannelsLastGroupNorm(x, shift, weight, bias, options);
    EXPECT_THAT(actual.to(at::kDouble),
                TensorNear(expected, GetParam() == at::kFloat ? 2e-5 : 1e-2));
    EXPECT_TRUE(actual.is_contiguous(at::MemoryFormat::ChannelsLast));
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_THAT(
          ChannelsLastGroupNorm(x.narrow(0, row, 1), shift.narrow(0, row, 1),
                                weight, bias, options),
          TensorEquals(actual.narrow(0, row, 1)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, GroupNormTest,
                         ::testing::Values(at::kFloat, at::kBFloat16));

TEST(GroupNormTest, RefusesWhatDoesNotFit) {
  EXPECT_THROW(
      ChannelsLastGroupNorm(at::zeros({1, 6, 2, 2}), {}, at::zeros({6}),
                            at::zeros({6}), {.groups = 4, .eps = 1e-5}),
      c10::Error);
}

// Every table that this processor can run gives nearly the same.
TEST(LanesTest, TablesAgree) {
  const at::Tensor x = at::randn({4, 96});
  const at::Tensor scale = at::randn({96});
  const at::Tensor offset = at::randn({96});
  const auto run = [&](const Lanes& lanes) {
    const at::Tensor y = at::empty_like(x);
    lanes.affine_float(x.const_data_ptr<float>(), scale.const_data_ptr<float>(),
                       offset.const_data_ptr<float>(), 4, 96, /*silu=*/true,
                       y.data_ptr<float>());
    return y;
  };
  EXPECT_THAT(run(kLanesGeneric),
              TensorNear(at::silu(x * scale + offset), 1e-6));
  EXPECT_THAT(run(BestLanes()), TensorNear(run(kLanesGeneric), 1e-6));
}

TEST(LanesTest, RoundsToBfloat16AsLibTorchDoes) {
  const at::Tensor x = at::randn({1000}) * 100;
  const at::Tensor y = at::empty({1000}, at::kBFloat16);
  BestLanes().scale_bf16(x.const_data_ptr<float>(), 1, 1000,
                         reinterpret_cast<Bf16Bits*>(y.data_ptr()));
  EXPECT_THAT(y, TensorEquals(x.to(at::kBFloat16)));
}

class PackedLayersTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!CanPack(at::zeros({1}, GetParam()))) GTEST_SKIP() << "not here";
  }
  at::Tensor Random(at::IntArrayRef sizes) const {
    return at::randn(sizes).to(GetParam());
  }

  c10::InferenceMode inference_;
};

TEST_P(PackedLayersTest, LinearsEqualTheirDefinitionsRowByRow) {
  for (const auto& [in, out, places] : std::vector<std::array<int64_t, 3>>{
           {320, 1280, 16},
           {8, 24, 1},
           {320, 320, 1},
           {96, 8, 77},
           // Long sums, which AMX may cut into parts.
           {1280, 320, 77},
           {1280, 640, 16},
           {2560, 640, 1}}) {
    const at::Tensor weight = Random({out, in}) / std::sqrt(in);
    const at::Tensor bias = Random({out});
    const at::Tensor packed = PackLinear(weight);
    const at::Tensor x = Random({3, places, in});
    const at::Tensor other = Random({3, places, out});
    const at::Tensor y = at::linear(x.to(at::kFloat), weight.to(at::kFloat),
                                    bias.to(at::kFloat));
    const auto check = [&](const auto& layer, const at::Tensor& expected) {
      const at::Tensor actual = layer(x, other);
      EXPECT_THAT(actual.to(at::kFloat), TensorNear(expected, 2e-2));
      for (int64_t row = 0; row < 3; ++row) {
        EXPECT_THAT(layer(x.narrow(0, row, 1), other.narrow(0, row, 1)),
                    TensorEquals(actual.narrow(0, row, 1)));
      }
    };
    check([&](const auto& a,
              const auto&) { return PackedLinear(a, packed, bias, "none"); },
          y);
    check([&](const auto& a,
              const auto&) { return PackedLinear(a, packed, bias, "gelu"); },
          at::gelu(y));
    check(
        [&](const auto& a, const auto& b) {
          return PackedLinearBinary(a, packed, bias, b, "add");
        },
        y + other.to(at::kFloat));
    check(
        [&](const auto& a, const auto& b) {
          return PackedLinearBinary(a, packed, bias, b, "mul");
        },
        y * other.to(at::kFloat));
  }
}

TEST_P(PackedLayersTest, ConvolutionsEqualTheirDefinitionsRowByRow) {
  for (const auto& [in, out, side, stride] :
       std::vector<std::array<int64_t, 4>>{
           {4, 64, 16, 1},
           {64, 64, 9, 2},
           {320, 4, 4, 1},
           // Where oneDNN goes by the number of rows.
           {1280, 64, 1, 1},
           {128, 256, 2, 1}}) {
    const ConvGeometry geometry = {.kernel = 3, .stride = stride, .padding = 1};
    const at::Tensor weight = Random({out, in, 3, 3}) / std::sqrt(9 * in);
    const at::Tensor bias = Random({out});
    const at::Tensor packed = PackConv2d(weight, geometry);
    const at::Tensor x =
        Random({3, in, side, side}).contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor expected =
        at::conv2d(x.to(at::kFloat), weight.to(at::kFloat), bias.to(at::kFloat),
                   stride, 1);
    const at::Tensor actual = PackedConv2d(x, packed, bias, geometry, "none");
    EXPECT_THAT(actual.to(at::kFloat), TensorNear(expected, 2e-2));
    if (side > 1) {  // which the fused form refuses
      EXPECT_THAT(
          PackedConv2dAdd(x, packed, bias, actual, geometry).to(at::kFloat),
          TensorNear(2 * expected, 2e-2));
    }
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_THAT(
          PackedConv2d(x.narrow(0, row, 1), packed, bias, geometry, "none"),
          TensorEquals(actual.narrow(0, row, 1)));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, PackedLayersTest,
                         ::testing::Values(at::kFloat, at::kBFloat16));

TEST(OneDnnTest, RefusesWhenTheAddressSpaceComesToItsEnd) {
  const at::Tensor weight = at::ones({16, 16, 3, 3});
  if (!CanPack(weight)) GTEST_SKIP() << "no oneDNN here";
  const at::Tensor packed = PackConv2d(weight, {});
  const at::Tensor x = at::ones({1, 16, 8, 8});
  const at::Tensor expected = PackedConv2d(x, packed, {}, {}, "none");
  rlimit before = {};
  getrlimit(RLIMIT_AS, &before);
  rlimit tight = before;
  tight.rlim_cur = ProcessMemory::Now().mapped + (rlim_t{32} << 20);
  ASSERT_EQ(setrlimit(RLIMIT_AS, &tight), 0);
  EXPECT_THROW(PackedConv2d(x, packed, {}, {}, "none"), c10::OutOfMemoryError);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_TRUE(at::equal(PackedConv2d(x, packed, {}, {}, "none"), expected));
}

}  // namespace
}  // namespace genzo
