#include "tools/bench/load_plan.h"

#include <algorithm>
#include <cmath>

#include "base/statistics.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

constexpr uint64_t kSeed = 3;

// Standard deviation of the gaps over their mean.
double Variation(const std::vector<absl::Duration>& arrivals) {
  double sum = 0;
  double squares = 0;
  absl::Duration last;
  for (absl::Duration arrival : arrivals) {
    const double gap = absl::ToDoubleSeconds(arrival - last);
    sum += gap;
    squares += gap * gap;
    last = arrival;
  }
  const double mean = sum / arrivals.size();
  return std::sqrt(squares / arrivals.size() - mean * mean) / mean;
}

double Rate(const std::vector<absl::Duration>& arrivals) {
  return arrivals.size() / absl::ToDoubleSeconds(arrivals.back());
}

Horizon Requests(int count) { return {.duration = {}, .requests = count}; }

TEST(PoissonArrivalsTest, AscendWithinTheDuration) {
  const auto arrivals =
      PoissonArrivals(5, {.duration = absl::Seconds(100)}, kSeed);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_GT(arrivals.front(), absl::ZeroDuration());
  EXPECT_LT(arrivals.back(), absl::Seconds(100));
  EXPECT_NEAR(arrivals.size(), 500, 70);
}

TEST(PoissonArrivalsTest, AreAsManyAsAskedFor) {
  EXPECT_EQ(PoissonArrivals(5, Requests(17), kSeed).size(), 17u);
}

TEST(PoissonArrivalsTest, HaveTheRateAndTheSpreadOfAPoissonProcess) {
  const auto arrivals = PoissonArrivals(4, Requests(20'000), kSeed);
  EXPECT_NEAR(Rate(arrivals), 4, 0.1);
  EXPECT_NEAR(Variation(arrivals), 1, 0.03);
}

TEST(PoissonArrivalsTest, FollowTheSeed) {
  EXPECT_EQ(PoissonArrivals(4, Requests(20), 1),
            PoissonArrivals(4, Requests(20), 1));
  EXPECT_NE(PoissonArrivals(4, Requests(20), 1),
            PoissonArrivals(4, Requests(20), 2));
}

TEST(GammaArrivalsTest, ClumpAsTold) {
  const auto arrivals = GammaArrivals(4, 4, Requests(50'000), kSeed);
  EXPECT_NEAR(Rate(arrivals), 4, 0.3);
  EXPECT_NEAR(Variation(arrivals), 4, 0.3);
}

TEST(OnOffArrivalsTest, KeepTheMeanRate) {
  const auto arrivals = OnOffArrivals(4, OnOff(), Requests(20'000), kSeed);
  EXPECT_TRUE(std::is_sorted(arrivals.begin(), arrivals.end()));
  EXPECT_NEAR(Rate(arrivals), 4, 0.15);
}

TEST(OnOffArrivalsTest, AreEightTimesAsDenseWhileOn) {
  const OnOff on_off = {
      .factor = 8, .on_share = 0.25, .cycle = absl::Seconds(10)};
  int on = 0;
  int off = 0;
  for (absl::Duration time :
       OnOffArrivals(4, on_off, Requests(20'000), kSeed)) {
    const double phase = std::fmod(absl::ToDoubleSeconds(time), 10);
    ++(phase < 2.5 ? on : off);
  }
  // "Off" lasts three times as long.
  EXPECT_NEAR(3.0 * on / off, 8, 0.5);
}

}  // namespace
}  // namespace genzo
