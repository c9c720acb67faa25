#include "worker/engine/step_scheduler.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr size_t kLive = 8;

StepScheduler Scheduler() { return {kLive, /*max_wait_steps=*/16}; }

TEST(StepSchedulerTest, TakesNothingWithoutRoom) {
  StepScheduler scheduler = Scheduler();
  EXPECT_TRUE(scheduler.WhomToTake({}).has_value());
  EXPECT_FALSE(scheduler.WhomToTake({.live = {{"a", kMostOverPlaces * kLive}}})
                   .has_value());
  EXPECT_FALSE(
      scheduler.WhomToTake({.live = {}, .parked = kMostOverPlaces * kLive})
          .has_value())
      << "those that wait for their model take places too";
}

TEST(StepSchedulerTest, PrefersModelsInMemoryWhileOthersAreNot) {
  StepScheduler scheduler = Scheduler();
  TakeFacts facts;
  facts.ready = {"a"};
  facts.models = 2;
  EXPECT_THAT(scheduler.WhomToTake(facts)->preferred_models, ElementsAre("a"));
  facts.models = 1;
  EXPECT_THAT(scheduler.WhomToTake(facts)->preferred_models, IsEmpty());
}

TEST(StepSchedulerTest, TakesNoMoreForModelsThatEnoughWaitFor) {
  StepScheduler scheduler = Scheduler();
  TakeFacts facts;
  facts.parked = kLive / 2 - 1;
  EXPECT_FALSE(scheduler.WhomToTake(facts)->only_preferred);
  facts.parked = kLive / 2;
  EXPECT_TRUE(scheduler.WhomToTake(facts)->only_preferred);
}

TEST(StepSchedulerTest, ThoseInMemoryAreTakenHoweverManyWaitForOthers) {
  StepScheduler scheduler = Scheduler();
  const auto rules =
      scheduler.WhomToTake({.parked = kLive / 2, .ready = {"a"}, .models = 1});
  EXPECT_THAT(rules->preferred_models, ElementsAre("a"));
}

TEST(StepSchedulerTest, LeavesOutTenantsThatHaveEnough) {
  StepScheduler scheduler = Scheduler();
  EXPECT_THAT(scheduler.WhomToTake({.live = {{"a", kLive}}})->except_tenants,
              ElementsAre("a"));
}

TEST(StepSchedulerTest, LeavesToOthersWhatNeedNotBeLoaded) {
  StepScheduler scheduler = Scheduler();
  TakeFacts facts;
  facts.others_are_freer = true;
  EXPECT_TRUE(scheduler.WhomToTake(facts)->leave_to_others);
  facts.ready = {"a"};
  facts.models = 2;
  EXPECT_FALSE(scheduler.WhomToTake(facts)->leave_to_others);
}

TEST(StepSchedulerTest, AnIdleDeviceForgetsWhoOwes) {
  StepScheduler scheduler = Scheduler();
  const ShapeLimits limits = {.row_cap = 8, .times = {1, 2, 3, 4, 5, 6, 7, 8}};
  Candidates candidates = {std::vector<Candidate>(20, {.tenant = "flood"}),
                           {{"", limits}}};
  for (int i = 0; i < 100; ++i) scheduler.WhomToPick(candidates);
  candidates.runs.push_back({.tenant = "light"});
  EXPECT_EQ(scheduler.WhomToPick(candidates).size(), 1u) << "a debtor's wait";
  scheduler.WhomToTake({});
  EXPECT_EQ(scheduler.WhomToPick(candidates).size(), 8u);
}

}  // namespace
}  // namespace genzo
