#include "queue/model_speeds.h"

#include "tests/queue/load_fixture.h"

namespace genzo {
namespace {

using ModelSpeedsTest = LoadFixture;

TEST_F(ModelSpeedsTest, KnowsWhatAJobTakesAlone) {
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 57 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5, 2)), 87 * kMs);
  EXPECT_EQ(load_.speeds().LatestStart(Demand(5)),
            absl::UnixEpoch() + (ModelSpeeds::kPatience - 1) * 57 * kMs);
  JobDemand urgent = Demand(5);
  urgent.deadline = absl::UnixEpoch() + 60 * kMs;
  EXPECT_EQ(load_.speeds().LatestStart(urgent), absl::UnixEpoch() + 3 * kMs);
}

TEST_F(ModelSpeedsTest, NetworksBesideTheModelTakeTime) {
  JobDemand steered = Demand(5);
  steered.load = 1.5;
  EXPECT_EQ(load_.speeds().SoloTime(steered), 82 * kMs);
}

TEST_F(ModelSpeedsTest, LearnsFromWhatEvaluationsTake) {
  for (int i = 0; i < 50; ++i)
    load_.speeds().Observe(0, Demand(5), 2, 20 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 107 * kMs);
  JobDemand large = Demand(5);
  large.pixels = 400;
  load_.speeds().Observe(0, large, 2, absl::Seconds(9));
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 107 * kMs) << "another size";
}

TEST_F(ModelSpeedsTest, TheFirstOfAShapeSaysNothing) {
  load_.speeds().Observe(0, Demand(5), 2, 40 * kMs);  // kernels were made
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 57 * kMs);
  load_.speeds().Observe(0, Demand(5), 2, 20 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 107 * kMs);
  load_.speeds().Observe(0, Demand(5), 4, 40 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 107 * kMs) << "four rows";
}

TEST_F(ModelSpeedsTest, LearnsWhatDecodesTakeForEachSize) {
  JobDemand small = Demand(5);
  small.pixels = 25;
  const absl::Duration steps = load_.speeds().SoloTime(small) - 7 * kMs / 4;
  for (int i = 0; i < 50; ++i) load_.speeds().ObserveDecode(0, small, 4 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(small), steps + 4 * kMs);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 57 * kMs) << "another size";
  JobDemand other = Demand(5);
  other.model = "other";
  load_.speeds().ObserveDecode(0, other, kMs);  // as its model may have gone
}

TEST_F(ModelSpeedsTest, GetsOverAProfileOfABadMoment) {
  for (int i = 0; i < 200; ++i) load_.speeds().Observe(0, Demand(5), 2, kMs);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(load_.speeds().SoloTime(Demand(5))),
              12, 0.1);
}

TEST_F(ModelSpeedsTest, DevicesHaveSpeedsOfTheirOwn) {
  ModelSpeed fast = Speed();
  fast.costs = StepCosts({{2, kMs}, {4, kMs}, {8, kMs}});
  fast.largest_batch = 8;
  load_.speeds().SetSpeed(1, "m", fast);
  for (int i = 0; i < 50; ++i) {
    load_.speeds().Observe(1, Demand(5), 2, 2 * kMs);
  }
  EXPECT_EQ(load_.speeds().Of(0, Demand(5)).costs.At(2), 10 * kMs);
  EXPECT_EQ(load_.speeds().Of(1, Demand(5)).costs.At(2), 2 * kMs);
  EXPECT_EQ(load_.speeds().RowCap(0, Demand(5), 16), 4);
  EXPECT_EQ(load_.speeds().RowCap(1, Demand(5), 16), 8);
  EXPECT_EQ(load_.speeds().SoloTime(Demand(5)), 17 * kMs) << "on the faster";
}

TEST_F(ModelSpeedsTest, ADeviceWithoutAProfileIsTakenForAnother) {
  EXPECT_EQ(load_.speeds().Of(3, Demand(5)).costs.At(2), 10 * kMs);
  EXPECT_EQ(load_.speeds().StepSeconds(3, Demand(5), 2).back(), 0.01);
  JobDemand other = Demand(5);
  other.model = "other";
  EXPECT_FALSE(load_.speeds().Knows("other"));
  EXPECT_EQ(load_.speeds().RowCap(0, other, 16), 16);
  EXPECT_EQ(load_.speeds().StepSeconds(0, other, 2).back(), 1.0);
  EXPECT_EQ(load_.speeds().SoloTime(other), absl::ZeroDuration());
}

}  // namespace
}  // namespace genzo
