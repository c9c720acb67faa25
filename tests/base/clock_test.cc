#include "base/clock.h"

#include "gtest/gtest.h"
#include "tests/testing/fake_clock.h"

namespace genzo {
namespace {

TEST(ClockTest, RealTimeNeverRunsBackwards) {
  const Clock& clock = Clock::Real();
  absl::Time last = clock.Now();
  for (int i = 0; i < 1000; ++i) {
    const absl::Time now = clock.Now();
    ASSERT_GE(now, last);
    last = now;
  }
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
