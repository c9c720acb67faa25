#include "gateway/a1111_hires.h"

#include "base/request_rules.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

v1::Model ModelOf(StepRounding rounding, uint32_t max_steps = 0) {
  v1::Model model;
  model.set_default_steps(20);
  model.mutable_limits()->set_max_steps(max_steps);
  model.add_samplers()->set_sampler(rounding == StepRounding::kUp
                                        ? v1::SAMPLER_FLOW_EULER
                                        : v1::SAMPLER_DDIM);
  return model;
}

v1::GenerateRequest SecondPass(json body) {
  body["enable_hr"] = true;
  return TextToImage(body)->request;
}

// A second pass of 10 steps makes 10, whatever the strength, and is no longer
// than that takes.
TEST(A1111HiresTest, TheSecondPassMakesAllOfItsSteps) {
  for (const StepRounding rounding : {StepRounding::kDown, StepRounding::kUp}) {
    for (const int asked : {1, 2, 7, 10, 29, 150}) {
      for (const double strength :
           {0.05, 0.1, 0.29, 0.3, 0.4, 0.7, 0.75, 1.0}) {
        auto request = SecondPass({{"hr_second_pass_steps", asked},
                                   {"denoising_strength", strength}});
        ASSERT_THAT(FitHires(ModelOf(rounding), request), IsOk());
        const int64_t steps = request.hires().steps();
        EXPECT_EQ(StepsWalked(steps, strength, rounding), asked)
            << steps << " at " << strength;
        EXPECT_TRUE(steps == asked ||
                    StepsWalked(steps - 1, strength, rounding) < asked)
            << steps << " at " << strength;
      }
    }
  }
}

TEST(A1111HiresTest, WithoutANumberItHasTheFirstPasss) {
  auto own = SecondPass({{"steps", 10}, {"denoising_strength", 0.7}});
  ASSERT_THAT(FitHires(ModelOf(StepRounding::kDown), own), IsOk());
  EXPECT_EQ(own.hires().steps(), 15u) << "the last 10 of them";
  EXPECT_EQ(own.steps(), 10u);
  auto models = SecondPass({{"denoising_strength", 0.5}});
  ASSERT_THAT(FitHires(ModelOf(StepRounding::kDown), models), IsOk());
  EXPECT_EQ(models.hires().steps(), 40u) << "of the model's own 20";
}

TEST(A1111HiresTest, AnEndOfMoreStepsThanTheModelHasIsRefused) {
  const v1::Model model = ModelOf(StepRounding::kDown, /*max_steps=*/150);
  auto most =
      SecondPass({{"hr_second_pass_steps", 15}, {"denoising_strength", 0.1}});
  ASSERT_THAT(FitHires(model, most), IsOk());
  EXPECT_EQ(most.hires().steps(), 150u);
  auto more =
      SecondPass({{"hr_second_pass_steps", 16}, {"denoising_strength", 0.1}});
  EXPECT_THAT(FitHires(model, more),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "hr_second_pass_steps 16 at denoising_strength 0.1 is "
                       "the end of a second pass of more steps than 150, the "
                       "model's limit"));
  auto first = SecondPass({{"steps", 16}, {"denoising_strength", 1e-300}});
  EXPECT_THAT(FitHires(model, first),
              StatusIs(absl::StatusCode::kInvalidArgument, "steps 16 at"));
}

TEST(A1111HiresTest, WhatTheServiceRefusesIsLeftToIt) {
  const v1::Model model = ModelOf(StepRounding::kDown, /*max_steps=*/150);
  for (const json& body :
       {json{{"denoising_strength", 0}},
        json{{"hr_second_pass_steps", 151}, {"denoising_strength", 1}}}) {
    auto request = SecondPass(body);
    const v1::HiresPass before = request.hires();
    EXPECT_THAT(FitHires(model, request), IsOk());
    EXPECT_EQ(request.hires().steps(), before.steps());
  }
}

}  // namespace
}  // namespace genzo
