#include "server/stall_watch.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

class StallWatchTest : public ::testing::Test {
 protected:
  std::string After(absl::Duration time, const StallWatch::Seen& seen) {
    now_ += time;
    return watch_.Look(seen, now_);
  }

  StallWatch watch_{absl::Seconds(60)};
  absl::Time now_ = absl::FromUnixSeconds(1000);
};

TEST_F(StallWatchTest, NoStepWhileWorkWaitsIsAStall) {
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 3}), "");
  EXPECT_EQ(After(absl::Seconds(59), {.evaluations = 5, .jobs = 3}), "");
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 3}),
            "no step for 60 s while 3 jobs wait or run");
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 6, .jobs = 3}), "");
}

TEST_F(StallWatchTest, NothingToDoIsNone) {
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5}), "");
  EXPECT_EQ(After(absl::Hours(1), {.evaluations = 5}), "");
  // Counted from when there was something.
  EXPECT_EQ(After(absl::Seconds(1), {.evaluations = 5, .jobs = 1}), "");
  EXPECT_NE(After(absl::Seconds(60), {.evaluations = 5, .jobs = 1}), "");
}

TEST_F(StallWatchTest, AModelMayTakeLongToLoad) {
  EXPECT_EQ(After(absl::Seconds(1), {.jobs = 1, .loading = true}), "");
  EXPECT_EQ(After(absl::Hours(1), {.jobs = 1, .loading = true}), "");
  EXPECT_NE(After(absl::Seconds(60), {.jobs = 1}), "");
}

TEST(PoolStallWatchTest, ADeviceThatHangsIsNamedWhileAnotherGoesOn) {
  PoolStallWatch watch({"cuda:0", "cuda:1"}, absl::Seconds(60));
  const ModelCatalog catalog("tiny");
  Metrics metrics;
  for (const char* device : {"cuda:0", "cuda:1"}) {
    metrics.ForDevice(device).live_images.Set(1);
  }
  absl::Time now = absl::FromUnixSeconds(1000);
  EXPECT_EQ(watch.Look(catalog, metrics, now), "");
  for (int second = 1; second <= 60; ++second) {
    now += absl::Seconds(1);
    metrics.ForDevice("cuda:0").last_step.Set(second);
    EXPECT_EQ(watch.Look(catalog, metrics, now),
              second < 60 ? ""
                          : "device cuda:1: no step for 60 s while 1 jobs "
                            "wait or run");
  }
}

}  // namespace
}  // namespace genzo
