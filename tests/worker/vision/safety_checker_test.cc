#include "worker/vision/safety_checker.h"

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_clip.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;

class SafetyCheckerTest : public ::testing::Test {
 protected:
  std::unique_ptr<const SafetyChecker> CheckerOf(RandomTensors tensors) {
    tensors.Add("concept_embeds", {3, 6});
    tensors.Add("concept_embeds_weights", {3});
    tensors.Add("special_care_embeds", {2, 6});
    tensors.Add("special_care_embeds_weights", {2});
    tensors.Write(folder_.path(), "model.safetensors");
    folder_.Write("config.json", kTinyClipVisionConfig);
    auto opened =
        SafetyChecker::Open(folder_.path(), folder_.path(), Placement());
    EXPECT_THAT(opened, IsOk());
    for (const char* kind : {"special_care", "concept"}) {
      const std::string name = absl::StrCat(kind, "_embeds_weights");
      limits_.push_back(*tensors.Read(name, ReadOptions()));
    }
    return *std::move(opened);
  }

  const TestFolder folder_;
  std::vector<at::Tensor> limits_;  // special, concepts
};

TEST_F(SafetyCheckerTest, OneSpecialConceptMakesAllOthersStricter) {
  const auto checker = CheckerOf(RandomClipVision());
  const auto judge = [&](float special, float last) {
    return checker->Judge(
        {.special = (limits_[0] + at::tensor({special, -0.5f})).view({1, -1}),
         .concepts =
             (limits_[1] + at::tensor({-0.1f, -0.2f, last})).view({1, -1})});
  };
  const SafetyVerdict plain = judge(-0.001f, -0.006f);
  EXPECT_FALSE(plain.unsafe);
  EXPECT_THAT(plain.concept_scores,
              ElementsAre(FloatEq(-0.1f), FloatEq(-0.2f), FloatEq(-0.006f)));
  const SafetyVerdict special = judge(0.001f, -0.006f);
  EXPECT_TRUE(special.unsafe);
  EXPECT_THAT(special.special_scores,
              ElementsAre(FloatEq(0.001f), FloatEq(-0.49f)));
  EXPECT_THAT(special.concept_scores,
              ElementsAre(FloatEq(-0.09f), FloatEq(-0.19f), FloatEq(0.004f)));
  // A special concept alone is no reason.
  EXPECT_FALSE(judge(0.5f, -0.02f).unsafe);
}

TEST_F(SafetyCheckerTest, ReadsFilesThatHoldTheTowerInATower) {
  const auto checker = CheckerOf(RandomClipVision("vision_model."));
  EXPECT_EQ(checker->vision().embedding_size(), 6);
}

}  // namespace
}  // namespace genzo
