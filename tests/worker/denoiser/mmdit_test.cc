#include "worker/denoiser/mmdit.h"

#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/denoiser/transformer_test.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

class MmditTest : public ::testing::Test {
 protected:
  MmditTest()
      : folder_(SourcePath("tests/data/reference/models/sd35-transformer")),
        weights_(*OpenWeights(folder_, at::kFloat, at::kCPU)),
        network_(*ReadMmditConfig(folder_ + "/config.json"), weights_) {}

  static Conditioning Texts(int64_t rows) {
    return {.tokens = at::randn({rows, 9, 32}),
            .pooled = at::randn({rows, 20})};
  }

  c10::InferenceMode inference_;
  const std::string folder_;
  const Weights weights_;
  const Mmdit network_;
};

TEST_F(MmditTest, TakesEveryTensorOfItsFile) {
  EXPECT_THAT(weights_.Finish(), IsOk());
}

TEST_F(MmditTest, RowsAreOnTheirOwn) {
  ExpectRowsOnTheirOwn(network_, **OpenTensors(folder_),
                       at::randn({5, 16, 6, 8}), Texts(5));
}

TEST_F(MmditTest, DeltasOfEveryLayerAreAsIfMerged) {
  const MmditConfig config = *ReadMmditConfig(folder_ + "/config.json");
  ExpectDeltasAreMerged(
      [&](const Weights& weights) {
        return std::make_unique<Mmdit>(config, weights);
      },
      *OpenTensors(folder_), at::randn({2, 16, 6, 8}), Texts(2));
}

TEST_F(MmditTest, TextsOfOneLengthShareABatch) {
  const auto a = *network_.Prepare(Texts(1));
  const auto b = *network_.Prepare(Texts(2));
  Conditioning longer = Texts(1);
  longer.tokens = at::randn({1, 10, 32});
  const auto c = *network_.Prepare(longer);
  const std::vector<int64_t> sizes = {16, 8, 8};
  EXPECT_EQ(network_.KeyOf(sizes, *a), network_.KeyOf(sizes, *b));
  EXPECT_NE(network_.KeyOf(sizes, *a), network_.KeyOf(sizes, *c));
}

TEST_F(MmditTest, NamesConditioningThatItDoesNotTake) {
  Conditioning texts = Texts(1);
  texts.numbers = at::randn({1, 1});
  EXPECT_THAT(network_.Prepare(texts),
              StatusIs(absl::StatusCode::kInvalidArgument, "numbers"));
  texts = Texts(1);
  texts.pooled = at::Tensor();
  EXPECT_THAT(network_.Prepare(texts),
              StatusIs(absl::StatusCode::kInvalidArgument, "pooled"));
  texts.pooled = at::randn({1, 21});
  EXPECT_THAT(network_.Prepare(texts),
              StatusIs(absl::StatusCode::kInvalidArgument, "pooled"));
}

TEST_F(MmditTest, ASampleWithoutPlacesForItIsRefused) {
  EXPECT_EQ(ReadMmditConfig(folder_ + "/config.json")->max_size(), 32);
  const auto prepared = *network_.Prepare(Texts(1));
  const at::Tensor widest = at::randn({1, 16, 2, 32});
  EXPECT_EQ(Predict(network_, widest, {1.0f}, *prepared).sizes(),
            widest.sizes());
  EXPECT_THROW(Predict(network_, at::randn({1, 16, 2, 34}), {1.0f}, *prepared),
               c10::Error);
}

TEST(MmditConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(
      ReadMmditConfig(folder.Write("a", R"({"qk_norm":"layer_norm"})")),
      StatusIs(absl::StatusCode::kUnimplemented, "qk_norm \"layer_norm\""));
  EXPECT_THAT(
      ReadMmditConfig(folder.Write("b", R"({"caption_projection_dim":7})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "caption_projection_dim 7"));
  EXPECT_THAT(
      ReadMmditConfig(
          folder.Write("c", R"({"num_layers":2,"dual_attention_layers":[2]})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "dual_attention_layers"));
}

}  // namespace
}  // namespace genzo
