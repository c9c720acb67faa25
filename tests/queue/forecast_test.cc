#include "queue/forecast.h"

#include <random>

#include "tests/queue/load_fixture.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

StepCosts Costs() {
  return StepCosts({{1, 6 * kMs},
                    {2, 10 * kMs},
                    {4, 16 * kMs},
                    {8, 31 * kMs},
                    {16, 62 * kMs}});
}

TEST(StepCostsTest, InterpolatesAndExtrapolates) {
  EXPECT_EQ(Costs().At(2), 10 * kMs);
  EXPECT_EQ(Costs().At(3), 13 * kMs);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(Costs().At(32)), 124, 1e-6);
  EXPECT_EQ(Costs().At(2, /*relative_area=*/4), 31 * kMs);
  EXPECT_EQ(Costs().At(8, /*relative_area=*/0.25), 10 * kMs);
  EXPECT_EQ(StepCosts().At(2), absl::ZeroDuration());
}

TEST(StepCostsTest, MoreRowsThanWereMeasuredTakeNoLess) {
  // Somebody else had the core for the first.
  const StepCosts disturbed({{2, 30 * kMs}, {4, 20 * kMs}});
  EXPECT_EQ(disturbed.At(3), 25 * kMs);
  EXPECT_EQ(disturbed.At(64), 20 * kMs);
}

TEST(StepCostsTest, CapsWhereRowsGainLessThanFivePercent) {
  // 4 to 8 rows: 250 to 258 rows a second.
  EXPECT_EQ(Costs().RowCap(16), 4);
  EXPECT_EQ(Costs().RowCap(3), 3);
  EXPECT_EQ(Costs().RowCap(16, /*relative_area=*/0.5), 8);
  EXPECT_EQ(Costs().RowCap(16, /*relative_area=*/16), 2) << "a guided image";
  EXPECT_EQ(StepCosts().RowCap(16), 16) << "nothing is known";
}

std::vector<absl::Duration> Finish(const std::vector<ForecastItem>& items,
                                   int shapes = 1) {
  return Forecast(items, std::vector<ForecastShape>(
                             shapes, {.costs = Costs(), .row_cap = 4}));
}

TEST(ForecastTest, OneImageTakesItsSteps) {
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 5}}), ElementsAre(50 * kMs));
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 0}}), ElementsAre(0 * kMs));
}

TEST(ForecastTest, AnEvaluationTakesWhatItsRowsLoad) {
  EXPECT_THAT(Finish({{.rows = 2, .load = 1.5, .steps_left = 5}}),
              ElementsAre(75 * kMs));
  EXPECT_THAT(Finish({{.rows = 2, .load = 1.5, .steps_left = 5},
                      {.rows = 2, .steps_left = 5}}),
              ElementsAre(100 * kMs, 100 * kMs))
      << "the two share evaluations";
}

TEST(ForecastTest, ImagesShareEvaluationsUpToTheCap) {
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 5},
                      {.rows = 2, .steps_left = 5},
                      {.rows = 2, .steps_left = 3}}),
              ElementsAre(80 * kMs, 80 * kMs, 110 * kMs));
}

TEST(ForecastTest, TheNextTakesAPlaceThatIsFree) {
  // Two together for 3 steps, then the third with the one that is left.
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 3},
                      {.rows = 2, .steps_left = 5},
                      {.rows = 2, .steps_left = 4}}),
              ElementsAre(48 * kMs, 80 * kMs, 100 * kMs));
}

TEST(ForecastTest, ShapesTakeTurns) {
  EXPECT_THAT(Finish({{.shape = 0, .rows = 2, .steps_left = 2},
                      {.shape = 1, .rows = 2, .steps_left = 4}},
                     /*shapes=*/2),
              ElementsAre(40 * kMs, 60 * kMs));
}

TEST(ForecastTest, ShapesGetEqualTime) {
  EXPECT_THAT(Finish({{.shape = 0, .rows = 1, .steps_left = 5},
                      {.shape = 1, .rows = 2, .steps_left = 6}},
                     /*shapes=*/2),
              ElementsAre(60 * kMs, 90 * kMs));
}

TEST(ForecastTest, OneThatIsDueBeforeOvertakesWhenItJoins) {
  EXPECT_THAT(Finish({{.rows = 4, .steps_left = 2, .joins = 20 * kMs},
                      {.rows = 4, .steps_left = 5}}),
              ElementsAre(52 * kMs, 112 * kMs));
}

TEST(ForecastTest, WhoOwesWaitsForTheOthers) {
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 5, .yields = true},
                      {.rows = 2, .steps_left = 3}}),
              ElementsAre(80 * kMs, 30 * kMs))
      << "together they would take 16 ms for 10";
  EXPECT_THAT(Finish({{.shape = 0, .rows = 2, .steps_left = 4, .yields = true},
                      {.shape = 1, .rows = 2, .steps_left = 2}},
                     /*shapes=*/2),
              ElementsAre(60 * kMs, 20 * kMs));
}

TEST(ForecastTest, WhoOwesJoinsWhereItSlowsLittle) {
  EXPECT_THAT(Finish({{.rows = 1, .steps_left = 5, .yields = true},
                      {.rows = 3, .steps_left = 2}}),
              ElementsAre(50 * kMs, 32 * kMs))
      << "16 ms for 13";
}

TEST(ForecastTest, WhereAllOweNobodyWaits) {
  EXPECT_THAT(Finish({{.rows = 2, .steps_left = 5, .yields = true},
                      {.rows = 2, .steps_left = 3, .yields = true}}),
              ElementsAre(68 * kMs, 48 * kMs));
}

TEST(ForecastTest, EndsHoweverLittleTimeStepsTake) {
  std::mt19937 random(7);
  const auto up_to = [&random](int most) {
    return static_cast<int>(random() % (most + 1));
  };
  for (int trial = 0; trial < 300; ++trial) {
    std::vector<ForecastShape> shapes(3);
    for (ForecastShape& shape : shapes) {
      const auto time = [&] { return absl::Nanoseconds(up_to(20'000)); };
      shape = {.costs = StepCosts({{1, time()}, {2, time()}, {4, time()}}),
               .row_cap = 1 + up_to(63)};
    }
    std::vector<ForecastItem> items(40);
    for (ForecastItem& item : items) {
      item = {.shape = up_to(2),
              .rows = 1 + up_to(3),
              .steps_left = up_to(50),
              .joins = absl::Nanoseconds(up_to(100'000)),
              .yields = up_to(1) == 1};
    }
    for (const absl::Duration finish : Forecast(items, shapes)) {
      EXPECT_LT(finish, absl::Seconds(1));
    }
  }
}

TEST(ForecastTest, WhatIsExpectedMattersAsCompanyOnly) {
  EXPECT_THAT(
      Finish(
          {{.rows = 2, .steps_left = 5},
           {.rows = 2, .steps_left = 90, .joins = 20 * kMs, .expected = true}}),
      ElementsAre(68 * kMs, absl::InfiniteDuration()));
}

}  // namespace
}  // namespace genzo
