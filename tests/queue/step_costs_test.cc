#include "queue/step_costs.h"

#include "gtest/gtest.h"
#include "tests/queue/load_fixture.h"

namespace genzo {
namespace {

TEST(StepCostsTest, NothingIsKnownAtFirst) {
  EXPECT_EQ(StepCosts().At(4), absl::ZeroDuration());
  EXPECT_EQ(StepCosts().RowCap(16), 16);
}

TEST(StepCostsTest, ReadsBetweenPointsAndBeyond) {
  const StepCosts costs({{1, 10 * kMs}, {2, 14 * kMs}, {4, 20 * kMs}});
  EXPECT_EQ(costs.At(3), 17 * kMs);
  EXPECT_EQ(costs.At(6), 26 * kMs);
  EXPECT_EQ(costs.At(1, /*relative_area=*/4), 20 * kMs);
  EXPECT_EQ(costs.At(1, 0.5), 5 * kMs);
  EXPECT_EQ(costs.At(1, 0.01), 2.5 * kMs) << "a quarter at least";
}

TEST(StepCostsTest, ALineThatPointsDownIsNotFollowed) {
  const StepCosts costs({{1, 30 * kMs}, {2, 20 * kMs}});
  EXPECT_EQ(costs.At(16), 20 * kMs);
}

TEST(StepCostsTest, MoreRowsThanGainAreNotWorthIt) {
  const StepCosts costs(
      {{1, 10 * kMs}, {2, 14 * kMs}, {4, 20 * kMs}, {8, 39 * kMs}});
  EXPECT_EQ(costs.RowCap(16), 4) << "8 rows gain 2.5 %";
  EXPECT_EQ(costs.RowCap(3), 3);
  EXPECT_EQ(costs.RowCap(16, /*relative_area=*/2), 2);
  EXPECT_EQ(costs.RowCap(16, 0.25), 16);
}

TEST(StepCostsTest, ABadMomentDoesNotHideWhatIsBehindIt) {
  const StepCosts costs(
      {{1, 10 * kMs}, {2, 19.8 * kMs}, {4, 24 * kMs}, {8, 40 * kMs}});
  EXPECT_EQ(costs.RowCap(16), 8) << "2 rows seemed to gain 1 %";
}

TEST(StepCostsTest, SlowGainsDoNotAddUp) {
  const StepCosts costs(
      {{1, 11 * kMs}, {2, 21 * kMs}, {4, 41 * kMs}, {8, 81 * kMs}});
  EXPECT_EQ(costs.RowCap(16), 2);
}

}  // namespace
}  // namespace genzo
