#include "queue/pool_load.h"

#include "absl/strings/str_cat.h"
#include "queue/prediction.h"
#include "tests/queue/load_fixture.h"

namespace genzo {
namespace {

using PoolLoadTest = LoadFixture;

TEST_F(PoolLoadTest, PredictsNothingOfAModelItDoesNotKnow) {
  JobDemand demand = Demand(5);
  demand.model = "other";
  EXPECT_FALSE(load_.PredictNew(demand).has_value());
}

TEST_F(PoolLoadTest, PredictsANewcomerBehindThoseDueBefore) {
  EXPECT_EQ(load_.PredictNew(Demand(5))->time, 57 * kMs);
  load_.Accept("a", Demand(4), std::nullopt);
  load_.Accept("b", Demand(4), std::nullopt);
  EXPECT_EQ(load_.PredictNew(Demand(5))->time, 4 * 16 * kMs + 57 * kMs);
  load_.backlog().StepsLeft("a", 0, 2);
  load_.backlog().Remove("b");
  EXPECT_EQ(load_.PredictNew(Demand(5))->time,
            2 * 16 * kMs + 3 * 10 * kMs + 7 * kMs);
  EXPECT_EQ(load_.PredictAll(absl::UnixEpoch()).at("a"),
            2 * 10 * kMs + 7 * kMs);
}

TEST_F(PoolLoadTest, SpreadsWaitingJobsOverDevices) {
  load_.backlog().SetDevices(2);
  load_.Accept("a", Demand(40), std::nullopt);
  load_.backlog().Start("a", 1, 10 * kMs);
  load_.Accept("b", Demand(6), std::nullopt);
  EXPECT_EQ(load_.PredictNew(Demand(5))->time, 5 * 16 * kMs + 7 * kMs)
      << "on device 0, together with b";
}

// Of two devices the second is idle when the first to come comes; that another
// goes to it long after is nothing to go by.
TEST_F(PoolLoadTest, ThoseWhoAreExpectedChooseWhenTheyCome) {
  const auto job = [this](const std::string& id, int steps,
                          absl::Duration joins, int due) {
    BacklogJob job = WaitingJob(id, Demand(steps), load_.speeds());
    job.expected = joins > absl::ZeroDuration();
    job.joins = joins;
    job.latest_start = absl::FromUnixSeconds(due);
    return job;
  };
  const BacklogSnapshot backlog = {
      .devices = {{}, {}},
      .jobs = {job("late", 11, absl::Seconds(100), /*due=*/1),
               job("asked", 10, absl::ZeroDuration(), /*due=*/2),
               job("early", 10, 10 * kMs, /*due=*/3)}};
  const auto finish = Predict(backlog, load_.speeds());
  EXPECT_EQ(finish[1], (10 * 10 + 7) * kMs) << "alone on its device";
}

TEST_F(PoolLoadTest, LearnsHowLateJobsAre) {
  JobDemand demand = Demand(5);
  for (int i = 0; i < 50; ++i) {
    demand.accepted += absl::Seconds(10);
    load_.Accept("a", demand, load_.PredictNew(demand));
    load_.LearnFrom("a", demand.accepted + 2 * 57 * kMs);
    load_.backlog().Remove("a");
  }
  EXPECT_NEAR(absl::FDivDuration(load_.PredictNew(demand)->time, 57 * kMs), 2,
              0.05);
  // Were all that come refused for it, it would not be learned anew.
  demand.accepted += 2 * PoolLoad::kForgetLateness;
  EXPECT_LT(load_.PredictNew(demand)->time, 1.5 * 57 * kMs);
  demand.accepted += 9 * PoolLoad::kForgetLateness;
  EXPECT_NEAR(absl::FDivDuration(load_.PredictNew(demand)->time, 57 * kMs), 1,
              0.01);
}

TEST_F(PoolLoadTest, ATenantsLatenessIsItsOwn) {
  JobDemand flooder = Demand(5);
  flooder.tenant = "flooder";
  for (int i = 0; i < 50; ++i) {
    flooder.accepted += absl::Seconds(1);
    load_.Accept("a", flooder, load_.PredictNew(flooder));
    load_.LearnFrom("a", flooder.accepted + 2 * 57 * kMs);
    load_.backlog().Remove("a");
  }
  EXPECT_GT(load_.PredictNew(flooder)->time, 1.5 * 57 * kMs);
  JobDemand light = flooder;
  light.tenant = "light";
  EXPECT_EQ(load_.PredictNew(light)->time, 57 * kMs);
}

TEST_F(PoolLoadTest, ForgetsTheTenantThatWasHereLongestAgo) {
  JobDemand demand = Demand(5);
  for (size_t i = 0; i <= PoolLoad::kMostTenants; ++i) {
    demand.tenant = absl::StrCat(i);
    demand.accepted += absl::Milliseconds(100);
    load_.Accept("a", demand, load_.PredictNew(demand));
    load_.LearnFrom("a", demand.accepted + 2 * 57 * kMs);
    load_.backlog().Remove("a");
  }
  const auto known = load_.Lateness(demand.accepted);
  EXPECT_EQ(known.size(), PoolLoad::kMostTenants);
  EXPECT_EQ(known.count("0"), 0u);
  EXPECT_EQ(known.count("1"), 1u);
}

TEST_F(PoolLoadTest, KnowsSamplersThatEvaluateMoreOften) {
  load_.speeds().SetSpeed(
      0, "m",
      {.costs = StepCosts({{2, 10 * kMs}, {4, 16 * kMs}}),
       .own_pixels = 100,
       .largest_batch = 4,
       .decode = 7 * kMs,
       .evaluations = {{v1::SAMPLER_PNDM, {.per_step = 2, .extra = 3}}}});
  JobDemand demand = Demand(5);
  demand.sampler = v1::SAMPLER_PNDM;
  EXPECT_EQ(load_.speeds().SoloTime(demand), 13 * 10 * kMs + 7 * kMs);
  EXPECT_EQ(load_.PredictNew(demand)->time, 13 * 10 * kMs + 7 * kMs);
}

TEST_F(PoolLoadTest, ANewcomerWaitsForTheEvaluationUnderWay) {
  load_.backlog().SetState(
      /*device=*/0, {.busy_until = absl::UnixEpoch() + (16 - 6) * kMs});
  EXPECT_EQ(load_.PredictNew(Demand(5))->time, 10 * kMs + 57 * kMs);
  load_.backlog().SetState(
      /*device=*/0, {.busy_until = absl::UnixEpoch() + (16 - 60) * kMs});
  EXPECT_EQ(load_.PredictNew(Demand(5))->time, 57 * kMs);
}

TEST_F(PoolLoadTest, ExpectsNobodyWhereNobodyCameMeanwhile) {
  JobDemand demand = Demand(5);
  for (size_t i = 0; i < PoolLoad::kRecent; ++i) {
    load_.Accept("a", demand, std::nullopt);
    demand.accepted += 57 * kMs;
    load_.LearnFrom("a", demand.accepted);
    load_.backlog().Remove("a");
  }
  EXPECT_EQ(load_.PredictNew(demand)->time, 57 * kMs);
}

TEST_F(PoolLoadTest, ExpectsAsManyAsWereDoneOfLate) {
  // One of 5 steps every 40 ms, of which one alone takes 50: two run together.
  absl::Time now = absl::UnixEpoch();
  for (size_t i = 0; i < PoolLoad::kRecent; ++i) {
    now += 40 * kMs;
    JobDemand demand = Demand(5);
    demand.accepted = now - 57 * kMs;
    load_.Accept("a", demand, std::nullopt);
    load_.Accept("b", demand, std::nullopt);
    load_.LearnFrom("a", now);
    load_.backlog().Remove("a");
    load_.backlog().Remove("b");
  }
  JobDemand demand = Demand(20);
  demand.accepted = now;
  EXPECT_GT(load_.PredictNew(demand)->time, 20 * 14 * kMs);
  demand.accepted = now + absl::Hours(1);
  EXPECT_EQ(load_.PredictNew(demand)->time, 207 * kMs) << "nothing came since";
}

}  // namespace
}  // namespace genzo
