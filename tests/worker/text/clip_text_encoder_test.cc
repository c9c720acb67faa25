#include "worker/text/clip_text_encoder.h"

#include "ATen/ops/equal.h"
#include "ATen/ops/randint.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

TEST(ClipTextConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(
      ReadClipTextConfig(folder.Write("a", R"({"hidden_act":"tanh"})")),
      StatusIs(absl::StatusCode::kUnimplemented, "hidden_act \"tanh\""));
  EXPECT_THAT(
      ReadClipTextConfig(folder.Write("b", R"({"num_attention_heads":7})")),
      StatusIs(absl::StatusCode::kInvalidArgument, "num_attention_heads 7"));
}

TEST(ClipTextConfigTest, RefusesAnEpsilonThatIsNone) {
  const TestFolder folder;
  for (const char* eps : {"1e308", "-1", "2"}) {
    EXPECT_THAT(ReadClipTextConfig(folder.Write(
                    "a", std::string(R"({"layer_norm_eps":)") + eps + "}")),
                StatusIs(absl::StatusCode::kInvalidArgument, "layer_norm_eps"));
  }
}

class ClipTextEncoderTest : public ::testing::Test {
 protected:
  const std::string folder_ = TinyModelFolder() + "/text_encoder";
  const ClipTextConfig config_ = *ReadClipTextConfig(folder_ + "/config.json");
  const ClipTextEncoder encoder_{config_,
                                 *OpenWeights(folder_, at::kFloat, at::kCPU)};
};

TEST_F(ClipTextEncoderTest, APositionSeesThoseBeforeIt) {
  const at::Tensor a =
      encoder_.forward(at::tensor({1L, 2L, 3L}).view({1, 3}), 0);
  const at::Tensor b =
      encoder_.forward(at::tensor({1L, 2L, 4L}).view({1, 3}), 0);
  ASSERT_EQ(a.sizes(), at::IntArrayRef({1, 3, config_.hidden_size}));
  EXPECT_THAT(a.narrow(1, 0, 2), TensorNear(b.narrow(1, 0, 2), 1e-6));
  EXPECT_FALSE(at::equal(a.select(1, 2), b.select(1, 2)));
}

TEST_F(ClipTextEncoderTest, SkippedLayersChangeTheResult) {
  const at::Tensor ids = at::tensor({1L, 2L, 3L}).view({1, 3});
  EXPECT_FALSE(at::equal(encoder_.forward(ids, 0), encoder_.forward(ids, 1)));
}

TEST_F(ClipTextEncoderTest, HiddenStatesAreThoseOfTheLayerAsked) {
  const at::Tensor ids = at::tensor({1L, 2L, 9L, 3L}).view({1, 4});
  const ClipTextStates all = encoder_.EncodePooled(ids, /*skipped=*/0);
  const ClipTextStates fewer = encoder_.EncodePooled(ids, /*skipped=*/1);
  EXPECT_FALSE(at::equal(all.hidden, fewer.hidden));
  EXPECT_THAT(all.pooled, TensorEquals(fewer.pooled)) << "of all layers always";
  // The largest id ends the text, as the file says by eos_token_id 2.
  EXPECT_THAT(all.pooled,
              TensorNear(encoder_.forward(ids, 0).select(1, 2), 1e-6));
}

TEST_F(ClipTextEncoderTest, APooledTextDoesNotDependOnItsCompany) {
  const at::Tensor ids = at::tensor({1L, 9L, 3L, 9L, 2L, 3L}).view({2, 3});
  const at::Tensor together = encoder_.EncodePooled(ids, 0).pooled;
  for (int64_t row = 0; row < 2; ++row) {
    EXPECT_THAT(
        together.narrow(0, row, 1),
        TensorEquals(encoder_.EncodePooled(ids.narrow(0, row, 1), 0).pooled));
  }
}

// Of the box, whose sums are long enough to be cut into parts.
TEST(ClipTextEncoderBoxTest, ATextDoesNotDependOnItsCompany) {
  const std::string folder = SourcePath("models/emaki/text_encoder");
  const ClipTextConfig config = *ReadClipTextConfig(folder + "/config.json");
  const at::Tensor ids = at::randint(config.vocab_size, {16, 77}, at::kLong);
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const ClipTextEncoder encoder(config,
                                  *OpenWeights(folder, dtype, at::kCPU));
    const at::Tensor together = encoder.forward(ids, /*skipped=*/0);
    for (int64_t row = 0; row < ids.size(0); ++row) {
      EXPECT_TRUE(at::equal(encoder.forward(ids.narrow(0, row, 1), 0),
                            together.narrow(0, row, 1)))
          << dtype << ", text " << row;
    }
  }
}

}  // namespace
}  // namespace genzo
