#include "worker/pipeline/walk_part.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_pipeline.h"

namespace genzo {
namespace {

WalkPlan PlanOfSteps(const std::vector<double>& timesteps) {
  WalkPlan plan = {.timesteps = timesteps, .levels = {}, .steps_done = {}};
  for (size_t i = 0; i <= timesteps.size(); ++i) {
    plan.steps_done.push_back(static_cast<int>(i));
  }
  return plan;
}

TEST(StepAtShareTest, GoesByTrainedTimesteps) {
  const WalkPlan plan = PlanOfSteps({876, 751, 626, 501, 376, 251, 126, 1});
  EXPECT_EQ(StepAtShare(plan, 0.7, 1000), 5) << "251 is the first below 300";
  EXPECT_EQ(StepAtShare(plan, 0, 1000), 0);
  EXPECT_EQ(StepAtShare(plan, 1, 1000), 8) << "nothing is below 0";
  // As Python rounds 250.5 and 251.5, to 250 and 252.
  EXPECT_EQ(StepAtShare(plan, 0.7495, 1000), 6);
  EXPECT_EQ(StepAtShare(plan, 0.7485, 1000), 5);
}

// A step of two evaluations is not cut in the middle.
TEST(StepAtShareTest, KeepsStepsWhole) {
  const WalkPlan plan = {.timesteps = {800, 400, 400, 1},
                         .levels = {},
                         .steps_done = {0, 0, 1, 1, 2}};
  EXPECT_EQ(StepAtShare(plan, 0.5, 1000), 1);
}

TEST(WalkPartTest, EndsWhereItsStepsEnd) {
  WalkPart part(std::make_unique<FakeWalk>(3), PlanOfSteps({3, 2, 1}), {0, 2});
  for (int step = 0; step < 2; ++step) {
    ASSERT_TRUE(part.Next().has_value());
    EXPECT_EQ(part.progress().steps_done, step);
    EXPECT_EQ(part.progress().steps, 2);
    EXPECT_EQ(part.progress().evaluations, 2);
    part.Take(at::full({1, 1, 1, 1}, 1.0f));
  }
  EXPECT_FALSE(part.Next().has_value());
  EXPECT_EQ(part.latent().item<float>(), 2);
}

}  // namespace
}  // namespace genzo
