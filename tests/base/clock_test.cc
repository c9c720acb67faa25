#include "base/clock.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace genzo {
namespace {

TEST(ClockTest, TimeGoesOnWhenTheMachinesDateIsSetBack) {
  absl::Time date = absl::FromUnixSeconds(1'000'000);
  absl::Duration steady = absl::Hours(7);
  const MachineClock clock([&] { return date; }, [&] { return steady; });
  const absl::Time begin = clock.Now();
  EXPECT_EQ(begin, date);
  steady += absl::Seconds(5);
  date -= absl::Hours(3);
  EXPECT_EQ(clock.Now(), begin + absl::Seconds(5));
  EXPECT_EQ(clock.Date(), date);
}

TEST(ClockTest, ADateIsFoundAgainAfterTheDateWasSet) {
  FakeClock clock;
  clock.SetDateForward(absl::Hours(3));
  EXPECT_EQ(clock.ToDate(clock.Now()), clock.Date());
  EXPECT_EQ(clock.FromDate(clock.Date() + absl::Seconds(5)),
            clock.Now() + absl::Seconds(5));
}

TEST(ClockTest, InfiniteTimesStayInBothDirections) {
  const FakeClock clock;
  EXPECT_EQ(clock.FromDate(absl::InfiniteFuture()), absl::InfiniteFuture());
  EXPECT_EQ(clock.ToDate(absl::InfiniteFuture()), absl::InfiniteFuture());
  EXPECT_EQ(clock.ToDate(absl::InfinitePast()), absl::InfinitePast());
}

}  // namespace
}  // namespace genzo
