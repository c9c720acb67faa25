// The parts of the engine that need no tensors.

#include "tests/testing/matchers.h"
#include "worker/engine/image_parameters.h"
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
}

TEST(PreviewPlanTest, AutoGetsSharperInTheLastThird) {
  v1::PreviewPlan plan;
  EXPECT_EQ(PreviewDecoder(plan, {.step = 6, .steps = 9}),
            v1::PreviewPlan::DECODER_LINEAR);
  EXPECT_EQ(PreviewDecoder(plan, {.step = 7, .steps = 9}),
            v1::PreviewPlan::DECODER_FULL);
  EXPECT_EQ(PreviewDecoder(plan, {.step = 7, .steps = 9, .has_tiny = true}),
            v1::PreviewPlan::DECODER_TINY);
  EXPECT_EQ(PreviewDecoder(
                plan, {.step = 7, .steps = 9, .busy = true, .has_tiny = true}),
            v1::PreviewPlan::DECODER_LINEAR);
}

TEST(PreviewPlanTest, ANamedDecoderIsKeptUnderLoad) {
  for (const auto decoder :
       {v1::PreviewPlan::DECODER_LINEAR, v1::PreviewPlan::DECODER_TINY,
        v1::PreviewPlan::DECODER_FULL}) {
    v1::PreviewPlan plan;
    plan.set_decoder(decoder);
    EXPECT_EQ(PreviewDecoder(plan, {.step = 1, .steps = 9, .busy = true}),
              decoder);
  }
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
  const PictureText text = ImageParameters(request, 42);
  EXPECT_EQ(text[0].first, "parameters");
  EXPECT_EQ(text[0].second,
            "a fox\nNegative prompt: snow\nSteps: 20, Sampler: "
            "dpmpp_2m_karras, CFG scale: 7.5, Seed: 42, Size: 64x32, Model: "
            "emaki");
}

}  // namespace
}  // namespace genzo
