// The free functions and blocks of worker/nn against their definitions.

#include <cmath>

#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/scaled_dot_product_attention.h"
#include "ATen/ops/softmax.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/nn/attention.h"
#include "worker/nn/downsample_2d.h"
#include "worker/nn/resnet_block_2d.h"
#include "worker/nn/rotary_embedding.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

class BlocksTest : public ::testing::Test {
 protected:
  const c10::InferenceMode inference_;
};

TEST_F(BlocksTest, AttentionToOneTokenIsThatToken) {
  const at::Tensor v = at::randn({2, 1, 8});
  EXPECT_THAT(MultiHeadAttention(at::randn({2, 5, 8}), at::randn({2, 1, 8}), v,
                                 /*heads=*/2),
              TensorNear(v.expand({2, 5, 8}), 1e-6));
}

TEST_F(BlocksTest, AttentionDoesNotDependOnTheOrderOfKeys) {
  const at::Tensor q = at::randn({1, 4, 8});
  const at::Tensor k = at::randn({1, 9, 8});
  const at::Tensor v = at::randn({1, 9, 8});
  EXPECT_THAT(MultiHeadAttention(q, k.flip(1), v.flip(1), 2),
              TensorNear(MultiHeadAttention(q, k, v, 2), 1e-6));
}

TEST_F(BlocksTest, HeadsAreAttentionsOfTheirOwn) {
  const at::Tensor q = at::randn({2, 4, 12});
  const at::Tensor k = at::randn({2, 6, 12});
  const at::Tensor v = at::randn({2, 6, 12});
  std::vector<at::Tensor> heads;
  for (int i = 0; i < 3; ++i) {
    const auto part = [&](const at::Tensor& t) {
      return t.narrow(2, 4 * i, 4).contiguous();
    };
    heads.push_back(MultiHeadAttention(part(q), part(k), part(v), 1));
  }
  EXPECT_THAT(MultiHeadAttention(q, k, v, 3),
              TensorNear(at::cat(heads, 2), 1e-6));
}

TEST_F(BlocksTest, AttentionThatIsUpcastKeepsItsType) {
  const at::Tensor q = at::randn({1, 4, 8}).to(at::kBFloat16);
  const at::Tensor y = MultiHeadAttention(q, q, q, 2, /*upcast=*/true);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_THAT(y.to(at::kFloat),
              TensorNear(MultiHeadAttention(q.to(at::kFloat), q.to(at::kFloat),
                                            q.to(at::kFloat), 2),
                         1e-2));
}

TEST_F(BlocksTest, TimestepsAreProjectedAsTheReferenceDoes) {
  const at::Tensor projected = ProjectTimesteps(at::tensor({10.0f, 999.0f}),
                                                {.dim = 6, .freq_shift = 1});
  for (int row = 0; row < 2; ++row) {
    for (int i = 0; i < 3; ++i) {
      const double angle =
          (row == 0 ? 10 : 999) * std::exp(-std::log(10000) * i / (3 - 1));
      EXPECT_NEAR(projected[row][i].item<float>(), std::cos(angle), 1e-4);
      EXPECT_NEAR(projected[row][3 + i].item<float>(), std::sin(angle), 1e-4);
    }
  }
}

TEST_F(BlocksTest, ATimestepsBitsDoNotDependOnTheOthers) {
  const TimestepProjection projection = {.dim = 64};
  const at::Tensor all =
      ProjectTimesteps(at::arange(0, 40, at::kFloat), projection);
  EXPECT_THAT(ProjectTimesteps(at::tensor({17.0f}), projection),
              TensorEquals(all.narrow(0, 17, 1)));
}

TEST_F(BlocksTest, ARotationKeepsLengths) {
  const at::Tensor x = at::randn({2, 12, 16});
  const at::Tensor y = Rotate(x, 2, RotationAt(0, {3, 4}, {4, 4}, at::kCPU));
  EXPECT_THAT(y.square().sum(-1), TensorNear(x.square().sum(-1), 1e-4));
}

TEST_F(BlocksTest, TheLastAxisOfAGridIsTheFastest) {
  const Rotation grid = RotationAt(0, {2, 3}, {2, 2}, at::kCPU);
  ASSERT_EQ(grid.cosines.sizes(), at::IntArrayRef({6, 2}));
  // Place 4 is row 1, column 1; place 2 row 0, column 2.
  EXPECT_NEAR(grid.cosines[4][0].item<float>(), std::cos(1.0), 1e-6);
  EXPECT_NEAR(grid.sines[2][0].item<float>(), 0, 1e-6);
  EXPECT_NEAR(grid.sines[2][1].item<float>(), std::sin(2.0), 1e-6);
}

TEST_F(BlocksTest, ARotationComesBackInItsOwnType) {
  const at::Tensor x = at::randn({1, 2, 4}).to(at::kBFloat16);
  EXPECT_EQ(Rotate(x, 1, RotationAt(0, {2}, {4}, at::kCPU)).scalar_type(),
            at::kBFloat16);
}

// Blocks of the tiny model.
class TinyBlocksTest : public BlocksTest {
 protected:
  const Weights vae_ =
      *OpenWeights(TinyModelFolder() + "/vae", at::kFloat, at::kCPU);

  Weights Encoder() const { return vae_["encoder"].At("down_blocks", 0); }
};

TEST_F(TinyBlocksTest, DownsamplingHalvesEvenSides) {
  const Downsample2D layer(Encoder().At("downsamplers", 0), 8, /*padding=*/0);
  EXPECT_EQ(layer.forward(at::randn({2, 8, 8, 6})).sizes(),
            at::IntArrayRef({2, 8, 4, 3}));
}

TEST_F(TinyBlocksTest, DownsamplingPadsBelowAndRightAlone) {
  const Downsample2D layer(Encoder().At("downsamplers", 0), 8, /*padding=*/0);
  at::Tensor x = at::zeros({1, 8, 4, 4});
  const at::Tensor before = layer.forward(x);
  // The first place sees rows 0 to 2 and columns 0 to 2.
  x.select(2, 3).fill_(9);
  x.select(3, 3).fill_(9);
  const at::Tensor after = layer.forward(x);
  EXPECT_THAT(after.select(2, 0).select(2, 0),
              TensorEquals(before.select(2, 0).select(2, 0)));
  EXPECT_FALSE(at::equal(after, before));
}

TEST_F(TinyBlocksTest, ABlockWithoutATimestepHasNoChannelsOfIt) {
  const ResnetBlock2D block(Encoder().At("resnets", 0), 8, 8,
                            {.norm_num_groups = 2});
  EXPECT_EQ(block.time_channels(), 0);
  EXPECT_FALSE(block.conv_shortcut.has_value());
  const at::Tensor x = at::randn({1, 8, 4, 4});
  EXPECT_EQ(block.forward(x, {}).sizes(), x.sizes());
}

TEST_F(TinyBlocksTest, ABlocksRowsDoNotDependOnOneAnother) {
  const ResnetBlock2D block(Encoder().At("resnets", 0), 8, 8,
                            {.norm_num_groups = 2});
  const at::Tensor x =
      at::randn({3, 8, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_THAT(block.forward(x.narrow(0, 1, 1), {}),
              TensorEquals(block.forward(x, {}).narrow(0, 1, 1)));
}

TEST_F(TinyBlocksTest, OnlyUpsamplersMakeMoreOfTheirWeights) {
  const at::Tensor example = at::zeros({1});
  EXPECT_EQ(Upsample2D::ElementsMade("decoder.conv_in.weight", 900, example),
            0);
  const int64_t made = Upsample2D::ElementsMade(
      "decoder.up_blocks.0.upsamplers.0.conv.weight", 900, example);
  EXPECT_TRUE(made == 0 || made == 1600) << "16 for every 9 where packed";
}

TEST_F(TinyBlocksTest, SmallConvolutionsMakeSixteenOfNine) {
  const at::Tensor example = at::zeros({1});
  const int64_t made =
      Conv2d::ElementsMade("mid.conv1.weight", {64, 32, 3, 3}, example);
  EXPECT_TRUE(made == 0 || made == 64 * 32 * 7);
  const Conv2d conv(at::zeros({64, 32, 3, 3}), /*bias=*/{}, {});
  EXPECT_EQ(conv.weight.numel() - 64 * 32 * 9, made);
  EXPECT_EQ(Conv2d::ElementsMade("down.0.downsamplers.0.conv.weight",
                                 {64, 32, 3, 3}, example),
            0)
      << "which skip places";
  EXPECT_EQ(Conv2d::ElementsMade("conv.bias", {64}, example), 0);
}

}  // namespace
}  // namespace genzo
