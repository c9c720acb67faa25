#include "base/guidance_rules.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(GuidanceRulesTest, SharesOfStepsAreRoundedDown) {
  const auto between = [](int steps, double start, double end) {
    std::vector<int> in;
    for (int step = 0; step < steps; ++step) {
      if (IsBetween(step, steps, start, end)) in.push_back(step);
    }
    return in;
  };
  EXPECT_THAT(between(5, 0, 1), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(between(5, 0.3, 0.7), ElementsAre(1, 2));
  EXPECT_THAT(between(5, 0.5, 0.5), IsEmpty());
}

TEST(GuidanceRulesTest, TellsWhatIsLeftOut) {
  v1::GenerateRequest request;
  request.set_steps(10);
  EXPECT_THAT(ApproximationsOf(request), IsEmpty());
  request.mutable_guidance()->set_start(0.1);
  request.mutable_guidance()->set_end(0.8);
  request.mutable_guidance()->set_text_gate_step(4);
  EXPECT_THAT(ApproximationsOf(request),
              ElementsAre("guidance_start 0.1", "guidance_end 0.8",
                          "text_gate_step 4"));
  request.mutable_guidance()->set_text_gate_step(10);
  EXPECT_THAT(ApproximationsOf(request),
              ElementsAre("guidance_start 0.1", "guidance_end 0.8"))
      << "nothing is left after the last step";
}

TEST(GuidanceRulesTest, EachWeakerNetworkIsARow) {
  v1::GenerateRequest request;
  EXPECT_EQ(MostRows(request, 2), 2u);
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  EXPECT_EQ(MostRows(request, 2), 3u);
  request.mutable_guidance()->set_skip_layer_scale(2.8);
  EXPECT_EQ(MostRows(request, 2), 4u);
}

TEST(GuidanceRulesTest, ABlockIsAWholePartOfALayersName) {
  EXPECT_TRUE(IsInBlock("mid_block.attentions.0", "mid_block"));
  EXPECT_TRUE(IsInBlock("mid_block", "mid_block"));
  EXPECT_FALSE(IsInBlock("down_blocks.10", "down_blocks.1"));
  EXPECT_FALSE(IsInBlock("mid_block.attentions.0", "attentions"));
}

// As diffusers' PAGMixin looks for "mid" and "blocks.1".
TEST(GuidanceRulesTest, TheReferenceSaysWhatIsPerturbed) {
  EXPECT_TRUE(IsPerturbed("mid_block.attentions.0.transformer_blocks.0.attn1"));
  EXPECT_FALSE(IsPerturbed("up_blocks.1.attentions.0.transformer_blocks.1"));
  EXPECT_TRUE(IsPerturbed("transformer_blocks.1.attn"));
  EXPECT_TRUE(IsPerturbed("transformer_blocks.13.attn"));
  EXPECT_FALSE(IsPerturbed("transformer_blocks.2.attn"));
  EXPECT_FALSE(IsPerturbed("transformer_blocks.21.attn"));
}

}  // namespace
}  // namespace genzo
