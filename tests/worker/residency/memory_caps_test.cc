#include "worker/residency/memory_caps.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

class MemoryCapsTest : public ::testing::Test {
 protected:
  int Cap(absl::Duration at, int64_t pixels = 64) const {
    return caps_.Cap("a", pixels, /*cap=*/16, start_ + at);
  }
  int Fails(int rows, absl::Duration at) {
    return caps_.OutOfMemory("a", /*pixels=*/64, rows, start_ + at);
  }

  const absl::Time start_ = absl::FromUnixSeconds(1'000'000);
  MemoryCaps caps_;
};

TEST_F(MemoryCapsTest, LimitsNothingAtFirst) {
  EXPECT_EQ(Cap(absl::ZeroDuration()), 16);
}

TEST_F(MemoryCapsTest, HalvesWhatDidNotFitForThatSizeAlone) {
  EXPECT_EQ(Fails(16, absl::ZeroDuration()), 8);
  EXPECT_EQ(Cap(absl::ZeroDuration()), 8);
  EXPECT_EQ(Cap(absl::ZeroDuration(), /*pixels=*/32), 16);
  EXPECT_EQ(caps_.Cap("b", 64, 16, start_), 16);
  EXPECT_EQ(caps_.Cap("a", 64, 4, start_), 4) << "never more than asked for";
}

TEST_F(MemoryCapsTest, HalvesUntilItFits) {
  Fails(16, absl::ZeroDuration());
  Fails(8, absl::Seconds(1));
  EXPECT_EQ(Fails(4, absl::Seconds(2)), 2);
  EXPECT_EQ(Fails(1, absl::Seconds(3)), 1) << "one row is the least";
  EXPECT_EQ(Cap(absl::Seconds(3)), 1);
}

TEST_F(MemoryCapsTest, RecoversStepByStep) {
  Fails(8, absl::ZeroDuration());
  EXPECT_EQ(Cap(absl::Seconds(59)), 4);
  EXPECT_EQ(Cap(absl::Seconds(60)), 8);
  EXPECT_EQ(Cap(absl::Seconds(120)), 16);
  EXPECT_EQ(Cap(absl::Hours(100)), 16);
}

TEST_F(MemoryCapsTest, WaitsLongerAfterItTriedTooSoon) {
  Fails(16, absl::ZeroDuration());
  ASSERT_EQ(Cap(absl::Seconds(60)), 16);
  Fails(16, absl::Seconds(60));
  EXPECT_EQ(Cap(absl::Seconds(60 + 119)), 8);
  EXPECT_EQ(Cap(absl::Seconds(60 + 120)), 16);
}

TEST_F(MemoryCapsTest, WaitsNoLongerThanTheLongestWait) {
  absl::Duration at;
  for (int i = 0; i < 20; ++i) {
    Fails(16, at);
    at += MemoryCaps::kLongestWait;
  }
  EXPECT_EQ(Cap(at), 16);
}

TEST_F(MemoryCapsTest, RecoversAtOnceWhenAModelLeaves) {
  Fails(16, absl::ZeroDuration());
  caps_.Clear();
  EXPECT_EQ(Cap(absl::ZeroDuration()), 16);
}

}  // namespace
}  // namespace genzo
