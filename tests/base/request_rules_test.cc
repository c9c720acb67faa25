#include "base/request_rules.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

TEST(StepsWalkedTest, CountsAsTheReferenceDoes) {
  EXPECT_EQ(StepsWalked(10, 1), 10);
  EXPECT_EQ(StepsWalked(10, 0.6), 6);
  EXPECT_EQ(StepsWalked(100, 0.29), 28) << "0.29 of 100 is 28.999...";
  EXPECT_EQ(StepsWalked(10, 0.05), 0);
  EXPECT_EQ(StepsWalked(10, 0), 0);
}

TEST(StepsWalkedTest, RoundsUpWhereTheReferenceDoes) {
  EXPECT_EQ(StepsWalked(10, 0.6, StepRounding::kUp), 6);
  EXPECT_EQ(StepsWalked(8, 0.6, StepRounding::kUp), 5);
  EXPECT_EQ(StepsWalked(8, 0.01, StepRounding::kUp), 1);
  EXPECT_EQ(StepsWalked(8, 0, StepRounding::kUp), 0);
}

TEST(StepsWalkedTest, ModelsOfFlowMatchingRoundUp) {
  v1::Model model;
  model.add_samplers()->set_sampler(v1::SAMPLER_EULER);
  EXPECT_EQ(StepRoundingOf(model), StepRounding::kDown);
  model.add_samplers()->set_sampler(v1::SAMPLER_FLOW_EULER);
  EXPECT_EQ(StepRoundingOf(model), StepRounding::kUp);
}

TEST(StepsWalkedTest, TakesAnyNumberOfSteps) {
  EXPECT_EQ(StepsWalked(UINT32_MAX, 0.5), 2147483647);
  EXPECT_EQ(StepsWalked(0, 1), 0);
}

TEST(InversionStepsTest, AreTheShareThatStrengthWalks) {
  v1::GenerateRequest request;
  request.set_steps(10);
  request.mutable_image_to_image()->set_strength(0.7);
  EXPECT_EQ(InversionSteps(request), 0);
  request.mutable_image_to_image()->mutable_inversion()->set_steps(20);
  EXPECT_EQ(InversionSteps(request), 14);
}

TEST(IsUuidTest, TakesEveryVersion) {
  EXPECT_TRUE(IsUuid("123e4567-e89b-42d3-a456-426614174000"));
  EXPECT_FALSE(IsUuid("123e4567-e89b-42d3-a456-42661417400"));
  EXPECT_FALSE(IsUuid("123e4567-e89b-42d3-a456-42661417400g"));
  EXPECT_FALSE(IsUuid("123e4567e-89b-42d3-a456-426614174000"));
}

}  // namespace
}  // namespace genzo
