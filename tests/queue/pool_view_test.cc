#include "queue/pool_view.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/queue/load_fixture.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class PoolViewTest : public ::testing::Test {
 protected:
  PoolViewTest() {
    load_.backlog().SetDevices(2);
    for (int device : {0, 1}) {
      load_.speeds().SetSpeed(
          device, "m",
          {.costs = StepCosts(
               {{2, (device + 1) * 10 * kMs}, {4, (device + 1) * 16 * kMs}}),
           .own_pixels = 100,
           .largest_batch = 4,
           .decode = 7 * kMs,
           .evaluations = {{v1::SAMPLER_PNDM, {.per_step = 2, .extra = 3}}}});
    }
  }

  JobDemand Demand(int steps) const {
    return {.model = "m",
            .tenant = "t",
            .pixels = 100,
            .rows = 2,
            .steps = steps,
            .accepted = clock_.Now()};
  }

  // Through the wire.
  internal::v1::PoolView View() const {
    internal::v1::PoolView view;
    view.ParseFromString(MakePoolView(load_, clock_).SerializeAsString());
    return view;
  }

  void ExpectSame(const JobDemand& demand) const {
    // The message counts nanoseconds.
    EXPECT_NEAR(absl::ToDoubleSeconds(*PredictFrom(View(), demand, clock_)),
                absl::ToDoubleSeconds(load_.PredictNew(demand)->time), 1e-7);
  }

  FakeClock clock_;
  PoolLoad load_;
};

TEST_F(PoolViewTest, PredictsWhatThePoolItselfWould) {
  ExpectSame(Demand(5));
  for (const char* id : {"a", "b", "c"}) {
    load_.Accept(id, Demand(20), std::nullopt);
  }
  load_.backlog().Start("a", 0, 10 * kMs);
  load_.backlog().StepsLeft("a", 0, 12);
  load_.backlog().Start("b", 1, 20 * kMs);
  load_.backlog().SetState(0, {.busy_until = clock_.Now() + 5 * kMs});
  load_.backlog().SetState(1, {.busy_until = clock_.Now() + 9 * kMs});
  ExpectSame(Demand(5));
  ExpectSame(Demand(90));
}

TEST_F(PoolViewTest, PromisesNothingOfADeviceThatIsOut) {
  const absl::Duration both = load_.PredictNew(Demand(10))->time;
  load_.backlog().SetState(0, {.out = true});
  const absl::Duration alone = load_.PredictNew(Demand(10))->time;
  EXPECT_EQ(alone, both + 10 * 10 * kMs) << "the other takes twice as long";
  load_.backlog().SetState(1, {.busy_until = clock_.Now() + 5 * kMs});
  EXPECT_EQ(load_.PredictNew(Demand(10))->time, alone + 5 * kMs)
      << "which has begun an evaluation";
  ExpectSame(Demand(10));
}

TEST_F(PoolViewTest, KnowsWhatIsNotInMemory) {
  const absl::Duration there = load_.PredictNew(Demand(10))->time;
  for (int device : {0, 1}) {
    load_.backlog().SetMissing(device, {{"m", absl::Seconds(3)}});
  }
  EXPECT_EQ(load_.PredictNew(Demand(10))->time, there + absl::Seconds(3));
  ExpectSame(Demand(10));
  load_.backlog().SetMissing(1, {});
  EXPECT_EQ(load_.PredictNew(Demand(10))->time, there + 10 * 10 * kMs)
      << "the slower device has it";
  ExpectSame(Demand(10));
}

TEST_F(PoolViewTest, AModelIsLoadedOnceForAllWhoWaitForIt) {
  load_.backlog().SetState(1, {.out = true});
  load_.backlog().SetMissing(0, {{"m", absl::Seconds(3)}});
  for (const char* id : {"begun", "parked"}) {
    load_.Accept(id, Demand(20), std::nullopt);
    load_.backlog().Start(id, 0, 10 * kMs);
  }
  load_.backlog().StepsLeft("begun", 0, 12);
  ExpectSame(Demand(10));
  const auto all = load_.PredictAll(clock_.Now());
  EXPECT_EQ(all.at("begun"), 12 * 10 * kMs + 7 * kMs) << "its model is leaving";
  EXPECT_EQ(all.at("parked"), absl::Seconds(3) + 20 * 10 * kMs + 7 * kMs);
  EXPECT_LT(load_.PredictNew(Demand(10))->time, absl::Seconds(4));
}

TEST_F(PoolViewTest, KnowsWhoYieldsToOthers) {
  JobDemand flood = Demand(90);
  flood.tenant = "flood";
  for (int device : {0, 1}) {
    const std::string id = absl::StrCat(device);
    load_.Accept(id, flood, std::nullopt);
    load_.backlog().Start(id, device, 10 * kMs);
  }
  const absl::Duration beside = *PredictFrom(View(), Demand(5), clock_);
  for (int device : {0, 1}) {
    load_.backlog().SetState(device, {.owing = {"flood"}});
  }
  ExpectSame(Demand(5));
  EXPECT_LT(*PredictFrom(View(), Demand(5), clock_), beside);
}

TEST_F(PoolViewTest, KnowsNetworksBesideTheModel) {
  JobDemand steered = Demand(40);
  steered.load = 1.5;
  load_.Accept("a", steered, std::nullopt);
  load_.Accept("b", steered, std::nullopt);
  ExpectSame(Demand(5));
  ExpectSame(steered);
  EXPECT_GT(*PredictFrom(View(), steered, clock_),
            *PredictFrom(View(), Demand(40), clock_));
}

TEST_F(PoolViewTest, KnowsSamplersThatEvaluateMoreOften) {
  JobDemand demand = Demand(5);
  demand.sampler = v1::SAMPLER_PNDM;
  EXPECT_EQ(PredictFrom(View(), demand, clock_), 13 * 10 * kMs + 7 * kMs);
}

TEST_F(PoolViewTest, TellsWhatWasLearned) {
  for (int i = 0; i < 50; ++i) {
    load_.speeds().Observe(0, Demand(5), 2, 12 * kMs);
    load_.speeds().ObserveDecode(0, Demand(5), 9 * kMs);
  }
  ExpectSame(Demand(5));
}

TEST_F(PoolViewTest, ExpectsThoseThatThePoolExpects) {
  for (size_t i = 0; i < PoolLoad::kRecent; ++i) {
    JobDemand demand = Demand(5);
    load_.Accept("a", demand, load_.PredictNew(demand));
    load_.Accept("b", demand, std::nullopt);
    clock_.Advance(40 * kMs);
    load_.LearnFrom("a", clock_.Now());
    load_.backlog().Remove("a");
    load_.backlog().Remove("b");
  }
  ASSERT_EQ(View().lateness_size(), 1);
  EXPECT_NE(View().lateness().begin()->second, 1);
  EXPECT_GT(View().jobs_size(), 0);
  ExpectSame(Demand(20));
}

TEST_F(PoolViewTest, MachinesNeedNotAgreeOnWhatTheyCallNow) {
  load_.Accept("a", Demand(20), std::nullopt);
  load_.backlog().SetState(0, {.busy_until = clock_.Now() + 50 * kMs});
  load_.backlog().SetState(1, {.busy_until = clock_.Now() + 50 * kMs});
  const auto view = View();
  FakeClock other;  // started 9 s later by its own count, of the same date
  other.Advance(absl::Seconds(9));
  other.SetDateForward(-absl::Seconds(9));
  JobDemand demand = Demand(5);
  demand.accepted = other.Now();
  EXPECT_EQ(PredictFrom(view, demand, other),
            load_.PredictNew(Demand(5))->time);
}

TEST_F(PoolViewTest, SaysNothingOfModelsThatNobodyMeasured) {
  JobDemand demand = Demand(5);
  demand.model = "other";
  EXPECT_FALSE(PredictFrom(View(), demand, clock_).has_value());
  EXPECT_FALSE(
      PredictFrom(internal::v1::PoolView(), demand, clock_).has_value());
}

}  // namespace
}  // namespace genzo
