#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

TEST(TimestepEmbeddingTest, OrdersSinesAndCosines) {
  const at::Tensor zero = at::full({1}, 0.0f);
  const at::Tensor cos_first =
      ProjectTimesteps(zero, {.dim = 4, .flip_sin_to_cos = true});
  EXPECT_THAT(cos_first,
              TensorEquals(at::tensor({1.f, 1.f, 0.f, 0.f}).unsqueeze(0)));
  const at::Tensor sin_first =
      ProjectTimesteps(zero, {.dim = 4, .flip_sin_to_cos = false});
  EXPECT_THAT(sin_first,
              TensorEquals(at::tensor({0.f, 0.f, 1.f, 1.f}).unsqueeze(0)));
}

class Upsample2DTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  Upsample2DTest()
      : weights_(
            *OpenWeights(TinyModelFolder() + "/vae", GetParam(), at::kCPU)),
        layer_(weights_["decoder"].At("up_blocks", 0).At("upsamplers", 0),
               /*channels=*/16) {}

  at::Tensor Random(int64_t height, int64_t width) const {
    return at::randn({2, 16, height, width})
        .to(GetParam())
        .contiguous(at::MemoryFormat::ChannelsLast);
  }
  at::Tensor Plain(const at::Tensor& x, at::IntArrayRef size) const {
    return layer_.conv.forward(at::upsample_nearest2d(x, size));
  }

  c10::InferenceMode inference_;
  const Weights weights_;
  const Upsample2D layer_;
};

TEST_P(Upsample2DTest, DoublingEqualsEnlargingAndConvolving) {
  const double bound = GetParam() == at::kFloat ? 2e-6 : 2e-2;
  for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{
           {8, 8}, {5, 3}, {1, 4}, {1, 1}}) {
    const at::Tensor x = Random(height, width);
    const at::Tensor y = layer_.forward(x, {2 * height, 2 * width});
    EXPECT_THAT(
        y.to(at::kFloat),
        TensorNear(Plain(x, {2 * height, 2 * width}).to(at::kFloat), bound));
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_THAT(layer_.forward(x.narrow(0, 1, 1), {2 * height, 2 * width}),
                TensorEquals(y.narrow(0, 1, 1)))
        << "alone";
  }
}

TEST_P(Upsample2DTest, OtherSizesAreEnlarged) {
  const at::Tensor x = Random(4, 5);
  EXPECT_THAT(layer_.forward(x, {7, 10}), TensorEquals(Plain(x, {7, 10})));
}

INSTANTIATE_TEST_SUITE_P(Types, Upsample2DTest,
                         ::testing::Values(at::kFloat, at::kBFloat16));

}  // namespace
}  // namespace genzo
