#include "worker/denoiser/flux_transformer.h"

#include "ATen/ops/equal.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/denoiser/transformer_test.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

class FluxTransformerTest : public ::testing::Test {
 protected:
  FluxTransformerTest()
      : folder_(SourcePath("tests/data/reference/models/flux-dev/transformer")),
        weights_(*OpenWeights(folder_, at::kFloat, at::kCPU)),
        network_(*ReadFluxConfig(folder_ + "/config.json"), weights_) {}

  static Conditioning Texts(int64_t rows) {
    return {.tokens = at::randn({rows, 9, 32}),
            .pooled = at::randn({rows, 8}),
            .numbers = at::randn({rows, 1})};
  }

  c10::InferenceMode inference_;
  const std::string folder_;
  const Weights weights_;
  const FluxTransformer network_;
};

TEST_F(FluxTransformerTest, TakesEveryTensorOfItsFile) {
  EXPECT_THAT(weights_.Finish(), IsOk());
}

TEST_F(FluxTransformerTest, RowsAreOnTheirOwn) {
  ExpectRowsOnTheirOwn(network_, **OpenTensors(folder_),
                       at::randn({5, 16, 6, 8}), Texts(5));
}

TEST_F(FluxTransformerTest, DeltasOfEveryLayerAreAsIfMerged) {
  ExpectDeltasAreMerged(
      [&](const Weights& weights) {
        return std::make_unique<FluxTransformer>(network_.config(), weights);
      },
      *OpenTensors(folder_), at::randn({2, 16, 6, 8}), Texts(2));
}

TEST_F(FluxTransformerTest, RowsOfDifferentGuidanceShareABatch) {
  Conditioning texts = Texts(1);
  const auto a = *network_.Prepare(texts);
  texts.numbers = texts.numbers + 1;
  const auto b = *network_.Prepare(texts);
  const std::vector<int64_t> sizes = {16, 8, 8};
  EXPECT_EQ(network_.KeyOf(sizes, *a), network_.KeyOf(sizes, *b));
  const at::Tensor sample = at::randn({1, 16, 8, 8});
  EXPECT_FALSE(at::equal(Predict(network_, sample, {500.0f}, *a),
                         Predict(network_, sample, {500.0f}, *b)));
}

TEST_F(FluxTransformerTest, NamesConditioningThatItNeeds) {
  Conditioning texts = Texts(2);
  texts.numbers = at::Tensor();
  EXPECT_THAT(network_.Prepare(texts),
              StatusIs(absl::StatusCode::kInvalidArgument, "numbers"));
  texts.numbers = at::randn({1, 1});
  EXPECT_THAT(network_.Prepare(texts),
              StatusIs(absl::StatusCode::kInvalidArgument, "numbers"));
}

TEST(FluxConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(
      ReadFluxConfig(folder.Write("a", R"({"axes_dims_rope":[16,56,54]})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "axes_dims_rope"));
  EXPECT_THAT(ReadFluxConfig(folder.Write("b", R"({"patch_size":2})")),
              StatusIs(absl::StatusCode::kUnimplemented, "patch_size 2"));
}

}  // namespace
}  // namespace genzo
