#include "worker/pipeline/start_noise.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/cos.h"
#include "ATen/ops/full.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/sampler/noise_source.h"

namespace genzo {
namespace {

at::Tensor Noise(uint64_t seed, at::IntArrayRef shape) {
  return SeededNoise(seed).Draw(shape);
}

TEST(StartNoiseTest, MixesOnTheSphere) {
  const at::Tensor low = Noise(1, {1, 4, 8, 8});
  const at::Tensor high = Noise(2, {1, 4, 8, 8});
  EXPECT_THAT(MixNoise(0, low, high), TensorNear(low, 1e-5));
  EXPECT_THAT(MixNoise(1, low, high), TensorNear(high, 1e-5));
  // Two columns at a right angle: halfway both count sin(45 degrees).
  const at::Tensor x = at::tensor({2.0f, 0.0f}).view({1, 1, 2, 1});
  const at::Tensor y = at::tensor({0.0f, 2.0f}).view({1, 1, 2, 1});
  EXPECT_THAT(MixNoise(0.5, x, y), TensorNear((x + y) * 0.70710678, 1e-6));
}

TEST(StartNoiseTest, ColumnsOnOneLineAreMixedAsTheyAre) {
  const at::Tensor x = at::full({1, 1, 2, 1}, 1.0f);
  EXPECT_THAT(MixNoise(0.25, x, x * -2), TensorNear(x * 0.25, 1e-6));
}

TEST(StartNoiseTest, PlacesInTheMiddle) {
  const at::Tensor inner = at::full({1, 1, 2, 6}, 1.0f);
  const at::Tensor placed = PlaceNoise(inner, at::zeros({1, 1, 4, 4}));
  EXPECT_THAT(
      placed[0][0],
      TensorEquals(
          at::tensor({0.0f, 1.0f, 1.0f, 0.0f}).unsqueeze(1).expand({4, 4})));
  // As a web UI cuts: of 5 columns in 4, the difference of -1 begins at -1.
  const at::Tensor columns = at::arange(5).to(at::kFloat).view({1, 1, 1, 5});
  EXPECT_THAT(PlaceNoise(columns, at::full({1, 1, 1, 4}, 9.0f))[0][0][0],
              TensorEquals(at::tensor({1.0f, 2.0f, 3.0f, 9.0f})));
}

}  // namespace
}  // namespace genzo
