// The parts of the engine that need no tensors.

#include "tests/testing/matchers.h"
#include "worker/engine/preview_plan.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

v1::PreviewPlan Plan(std::vector<uint32_t> steps, uint32_t every) {
  v1::PreviewPlan plan;
  for (uint32_t step : steps) plan.add_steps(step);
  plan.set_every(every);
  return plan;
}

TEST(PreviewPlanTest, AddsUpStepsAndIntervals) {
  const v1::PreviewPlan plan = Plan({2, 7}, 5);
  std::vector<int> due;
  for (int step = 1; step <= 10; ++step) {
    if (PreviewDue(plan, step)) due.push_back(step);
  }
  EXPECT_THAT(due, ElementsAre(2, 5, 7, 10));
  EXPECT_FALSE(PreviewDue(Plan({}, 0), 1));
  EXPECT_FALSE(PreviewDue(Plan({}, UINT32_MAX), 1)) << "more than there are";
}

TEST(PreviewPlanTest, AutoGetsSharperInTheLastThird) {
  v1::PreviewPlan plan;
  EXPECT_EQ(PreviewDecoder(plan, {.step = 6, .steps = 9}),
            PreviewKind::kLinear);
  EXPECT_EQ(PreviewDecoder(plan, {.step = 7, .steps = 9}), PreviewKind::kFull);
  EXPECT_EQ(PreviewDecoder(plan, {.step = 7, .steps = 9, .has_tiny = true}),
            PreviewKind::kTiny);
  EXPECT_EQ(PreviewDecoder(
                plan, {.step = 7, .steps = 9, .busy = true, .has_tiny = true}),
            PreviewKind::kLinear);
}

TEST(PreviewPlanTest, TheTinyDecoderMakesPicturesThatNameIt) {
  v1::OutputOptions output;
  EXPECT_EQ(FinalDecoder(output, /*has_tiny=*/true), PreviewKind::kFull);
  output.set_tiny_decoder(true);
  EXPECT_EQ(FinalDecoder(output, /*has_tiny=*/true), PreviewKind::kTiny);
}

TEST(PreviewPlanTest, ANamedDecoderIsKeptUnderLoad) {
  const std::pair<v1::PreviewDecoder, PreviewKind> named[] = {
      {v1::PREVIEW_DECODER_LINEAR, PreviewKind::kLinear},
      {v1::PREVIEW_DECODER_TINY, PreviewKind::kTiny},
      {v1::PREVIEW_DECODER_FULL, PreviewKind::kFull}};
  for (const auto& [asked, kind] : named) {
    v1::PreviewPlan plan;
    plan.set_decoder(asked);
    EXPECT_EQ(PreviewDecoder(plan, {.step = 1, .steps = 9, .busy = true}),
              kind);
  }
}

}  // namespace
}  // namespace genzo
