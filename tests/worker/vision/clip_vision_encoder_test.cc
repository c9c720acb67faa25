#include "worker/vision/clip_vision_encoder.h"

#include "ATen/ops/randn.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_clip.h"

namespace genzo {
namespace {

TEST(ClipVisionConfigTest, ReadsTheVisionPartOfAWholeClip) {
  const TestFolder folder;
  const auto config = ReadClipVisionConfig(folder.Write(
      "config.json",
      R"({"projection_dim":6,"vision_config":{"hidden_size":8,"image_size":16,
          "patch_size":8,"num_attention_heads":2,"projection_dim":512}})"));
  ASSERT_THAT(config, IsOk());
  EXPECT_EQ(config->projection_dim, 6);
  EXPECT_EQ(config->hidden_size, 8);
  EXPECT_EQ(config->tokens(), 5);
}

TEST(ClipVisionConfigTest, NamesBadValues) {
  const TestFolder folder;
  EXPECT_THAT(
      ReadClipVisionConfig(folder.Write("a", R"({"hidden_act":"tanh"})")),
      StatusIs(absl::StatusCode::kUnimplemented, "hidden_act \"tanh\""));
  EXPECT_THAT(ReadClipVisionConfig(
                  folder.Write("b", R"({"vision_config":{"patch_size":900}})")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "vision_config: patch_size 900"));
}

class ClipVisionEncoderTest : public ::testing::Test {
 protected:
  ClipVisionEncoderTest() {
    config_ = *ReadClipVisionConfig(
        folder_.Write("config.json", kTinyClipVisionConfig));
  }

  ClipVisionEncoder EncoderOf(RandomTensors tensors) {
    const Weights weights(
        std::make_shared<const RandomTensors>(std::move(tensors)), at::kFloat,
        at::kCPU);
    ClipVisionEncoder encoder(config_, weights);
    EXPECT_THAT(weights.Finish({ClipVisionEncoder::kPositionIds}), IsOk());
    return encoder;
  }

  const TestFolder folder_;
  ClipVisionConfig config_;
};

TEST_F(ClipVisionEncoderTest, APictureDoesNotDependOnItsCompany) {
  const ClipVisionEncoder encoder = EncoderOf(RandomClipVision());
  const at::Tensor pixels = at::randn({2, 3, 16, 16});
  const ClipVisionStates both = encoder.forward(pixels);
  EXPECT_EQ(both.penultimate.sizes(), at::IntArrayRef({2, 5, 8}));
  EXPECT_EQ(both.pooled.sizes(), at::IntArrayRef({2, 8}));
  ASSERT_EQ(both.embedding.sizes(), at::IntArrayRef({2, 6}));
  const ClipVisionStates second = encoder.forward(pixels.narrow(0, 1, 1));
  EXPECT_THAT(both.embedding.narrow(0, 1, 1), TensorEquals(second.embedding));
  EXPECT_THAT(both.penultimate.narrow(0, 1, 1),
              TensorEquals(second.penultimate));
}

TEST_F(ClipVisionEncoderTest, WithoutAProjectionThePooledStateIsTheEmbedding) {
  RandomTensors tensors = RandomClipVision();
  tensors.Add(ClipVisionEncoder::kPositionIds, {1, 5});
  EXPECT_EQ(EncoderOf(tensors).embedding_size(), 6);
  RandomTensors plain;
  for (const auto& [name, entry] : tensors.entries()) {
    if (name != "visual_projection.weight") plain.Add(name, entry.shape);
  }
  const ClipVisionEncoder encoder = EncoderOf(plain);
  EXPECT_EQ(encoder.embedding_size(), 8);
  const ClipVisionStates states = encoder.forward(at::randn({1, 3, 16, 16}));
  EXPECT_THAT(states.embedding, TensorEquals(states.pooled));
}

}  // namespace
}  // namespace genzo
