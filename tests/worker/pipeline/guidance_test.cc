#include "worker/pipeline/guidance.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/std.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

TEST(GuidanceTest, OneRowIsThePrediction) {
  const at::Tensor row = at::randn({1, 4, 2, 2});
  EXPECT_THAT(ApplyGuidance(row, {.rows = 1, .scale = 9}), TensorEquals(row));
}

TEST(GuidanceTest, GoesPastTheConditionalRow) {
  const at::Tensor rows =
      at::cat({at::full({1, 1, 1, 1}, 2.f), at::full({1, 1, 1, 1}, 3.f)});
  EXPECT_EQ(ApplyGuidance(rows, {.rows = 2, .scale = 4}).item<float>(), 6);
  EXPECT_EQ(ApplyGuidance(rows, {.rows = 2, .scale = 0}).item<float>(), 2);
}

TEST(GuidanceTest, APictureToFollowHasAWeightOfItsOwn) {
  const at::Tensor rows =
      at::cat({at::full({1, 1, 1, 1}, 1.f), at::full({1, 1, 1, 1}, 3.f),
               at::full({1, 1, 1, 1}, 4.f)});
  const Guidance guidance = {.rows = 3, .scale = 5, .image_scale = 2};
  EXPECT_EQ(ApplyGuidance(rows, guidance).item<float>(), 1 + 5 * 1 + 2 * 2);
}

TEST(GuidanceTest, RescaledFullyItHasTheConditionalsSpread) {
  const at::Tensor rows = at::randn({2, 4, 8, 8});
  const at::Tensor guided =
      ApplyGuidance(rows, {.rows = 2, .scale = 7, .rescale = 1});
  EXPECT_NEAR(at::std(guided).item<double>(),
              at::std(rows.narrow(0, 1, 1)).item<double>(), 1e-5);
  EXPECT_EQ(guided.sizes(), at::IntArrayRef({1, 4, 8, 8}));
}

}  // namespace
}  // namespace genzo
