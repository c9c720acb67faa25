#include "worker/threads/stalls.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

using std::chrono::milliseconds;

class StallsTest : public ::testing::Test {
 protected:
  // Teams whose work takes `took`, `waited` of it, for 20 ms or until it is to
  // be done alone.
  void Work(int members, Stalls::Duration took, Stalls::Duration waited) {
    for (Stalls::Duration sum{0}; sum < milliseconds(20) && !Alone();
         sum += took) {
      stalls_.Worked(members, now_, now_ + took, waited);
      now_ += took;
    }
  }
  bool Alone() const { return stalls_.Alone(now_); }

  Stalls stalls_;
  Stalls::Time now_{milliseconds(1000)};
};

TEST_F(StallsTest, WorksTogetherAtFirst) { EXPECT_FALSE(Alone()); }

TEST_F(StallsTest, PartsMayBeUneven) {
  Work(2, std::chrono::microseconds(800), std::chrono::microseconds(600));
  EXPECT_FALSE(Alone());
}

TEST_F(StallsTest, AHelperThatMostlyLacksACoreIsNotWaitedFor) {
  Work(2, milliseconds(4), milliseconds(3));
  EXPECT_TRUE(Alone());
  now_ += milliseconds(100);
  EXPECT_FALSE(Alone()) << "another try";
  Work(2, milliseconds(2), milliseconds(0));
  EXPECT_FALSE(Alone());
}

TEST_F(StallsTest, ManyHelpersAreWorthMoreWaiting) {
  Work(16, milliseconds(4), milliseconds(3));
  EXPECT_FALSE(Alone());
  Work(16, milliseconds(10), milliseconds(10));
  EXPECT_TRUE(Alone());
}

}  // namespace
}  // namespace genzo
