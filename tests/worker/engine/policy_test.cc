// The parts of the engine that need no tensors.

#include "tests/testing/matchers.h"
#include "worker/engine/batcher.h"
#include "worker/engine/image_parameters.h"
#include "worker/engine/preview_plan.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int> Pick(int max_rows, const std::vector<Candidate>& candidates) {
  return Batcher(max_rows).Pick(candidates);
}

TEST(BatcherTest, PicksNothingFromNothing) {
  EXPECT_THAT(Pick(4, {}), IsEmpty());
}

TEST(BatcherTest, TakesTheOldestShape) {
  EXPECT_THAT(Pick(8, {{.shape = 1, .rows = 2},
                       {.shape = 0, .rows = 2},
                       {.shape = 1, .rows = 1}}),
              ElementsAre(0, 2));
}

TEST(BatcherTest, StopsAtTheRowCap) {
  const Candidate guided = {.shape = 0, .rows = 2};
  EXPECT_THAT(Pick(4, {guided, guided, guided}), ElementsAre(0, 1));
}

TEST(BatcherTest, FillsTheCapWithSmallerRuns) {
  EXPECT_THAT(Pick(3, {{.shape = 0, .rows = 2},
                       {.shape = 0, .rows = 2},
                       {.shape = 0, .rows = 1}}),
              ElementsAre(0, 2));
}

TEST(BatcherTest, AlwaysTakesOne) {
  EXPECT_THAT(Pick(2, {{.shape = 0, .rows = 5}}), ElementsAre(0));
}

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
}

TEST(PreviewPlanTest, AutoGetsSharperInTheLastThird) {
  v1::PreviewPlan plan;
  EXPECT_EQ(PreviewDecoder(plan, 6, 9), v1::PreviewPlan::DECODER_LINEAR);
  EXPECT_EQ(PreviewDecoder(plan, 7, 9), v1::PreviewPlan::DECODER_FULL);
  plan.set_decoder(v1::PreviewPlan::DECODER_FULL);
  EXPECT_EQ(PreviewDecoder(plan, 1, 9), v1::PreviewPlan::DECODER_FULL);
}

TEST(ImageParametersTest, SaysHowToMakeItAgain) {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_negative_prompt("snow");
  request.set_steps(20);
  request.set_sampler(v1::GenerateRequest::SAMPLER_DPMPP_2M_KARRAS);
  request.set_guidance_scale(7.5);
  request.set_width(64);
  request.set_height(32);
  request.set_model("emaki");
  const PngText text = ImageParameters(request, 42);
  EXPECT_EQ(text[0].first, "parameters");
  EXPECT_EQ(text[0].second,
            "a fox\nNegative prompt: snow\nSteps: 20, Sampler: "
            "dpmpp_2m_karras, CFG scale: 7.5, Seed: 42, Size: 64x32, Model: "
            "emaki");
}

}  // namespace
}  // namespace genzo
