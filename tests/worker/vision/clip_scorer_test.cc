#include "worker/vision/clip_scorer.h"

#include "ATen/ops/linalg_vector_norm.h"
#include "ATen/ops/randn.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/vision/aesthetic_head.h"

namespace genzo {
namespace {

Pixels Plain(char red, char green, char blue) {
  Pixels pixels{.width = 160, .height = 128, .rgb = {}};
  for (int i = 0; i < 160 * 128; ++i) pixels.rgb += {red, green, blue};
  return pixels;
}

TEST(ClipScorerTest, TellsColoursApart) {
  const auto scorer =
      ClipScorer::Open(SourcePath("models/emaki/scorer"), Placement());
  ASSERT_THAT(scorer, IsOk());
  const at::Tensor red = (*scorer)->EmbedPicture(Plain('\xd8', '\x30', '\x30'));
  const at::Tensor blue =
      (*scorer)->EmbedPicture(Plain('\x30', '\x40', '\xd8'));
  const at::Tensor says_red = (*scorer)->EmbedText("a plain red background");
  const at::Tensor says_blue = (*scorer)->EmbedText("a plain blue background");
  const auto likeness = [](const at::Tensor& a, const at::Tensor& b) {
    return CosineSimilarity(a, b).item<double>();
  };
  EXPECT_GT(likeness(red, says_red), likeness(red, says_blue));
  EXPECT_GT(likeness(blue, says_blue), likeness(blue, says_red));
}

TEST(ClipScorerTest, NamesAFolderThatIsNoClip) {
  EXPECT_THAT(
      ClipScorer::Open(SourcePath("models/emaki/text_encoder"), Placement()),
      StatusIs(absl::StatusCode::kInvalidArgument, "text_config"));
}

class AestheticHeadTest : public ::testing::Test {
 protected:
  AestheticHeadTest() {
    RandomTensors head;
    head.AddLayer("layers.0", 6, 4);
    head.AddLayer("layers.2", 4, 1);
    head.Write(folder_.path(), "model.safetensors");
    weights_ = head;
  }

  const TestFolder folder_;
  RandomTensors weights_;
};

TEST_F(AestheticHeadTest, IsALinearMapOfTheNormalisedEmbedding) {
  const auto head = AestheticHead::Open(folder_.path(), 6);
  ASSERT_THAT(head, IsOk());
  const at::Tensor embedding = at::randn({2, 6});
  const auto tensor = [&](const char* name) {
    return *weights_.Read(name, ReadOptions());
  };
  const at::Tensor unit =
      embedding / at::linalg_vector_norm(embedding, 2, {-1}, true);
  const at::Tensor hidden =
      unit.matmul(tensor("layers.0.weight").t()) + tensor("layers.0.bias");
  const at::Tensor expected =
      hidden.matmul(tensor("layers.2.weight").t()) + tensor("layers.2.bias");
  EXPECT_THAT(head->forward(embedding), TensorNear(expected.view({2}), 1e-5));
  EXPECT_THAT(head->forward(embedding * 7),
              TensorNear(expected.view({2}), 1e-5));
}

TEST_F(AestheticHeadTest, RefusesTheEmbeddingsOfAnotherClip) {
  EXPECT_THAT(AestheticHead::Open(folder_.path(), 8),
              StatusIs(absl::StatusCode::kInvalidArgument, "layers.0.weight"));
}

}  // namespace
}  // namespace genzo
