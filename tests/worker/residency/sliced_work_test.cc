#include "worker/residency/sliced_work.h"

#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "tests/testing/fake_clock.h"
#include "worker/threads/pause_point.h"

namespace genzo {
namespace {

constexpr absl::Duration kLayer = absl::Milliseconds(4);

class SlicedWorkTest : public ::testing::Test {
 protected:
  // Layers of 4 ms, one after the other.
  void Layers(int count) {
    for (int i = 0; i < count; ++i) {
      PausePoint();
      clock_.Advance(kLayer);
      ++done_;
    }
  }

  FakeClock clock_;
  int done_ = 0;
};

TEST_F(SlicedWorkTest, EverySliceEndsAtThePausePointAfterIt) {
  SlicedWork work(clock_);
  work.Begin([this] { Layers(7); });
  std::vector<int> after;
  bool ended = false;
  while (!ended) {
    ended = work.Run(absl::Milliseconds(10));
    after.push_back(done_);
    clock_.Advance(absl::Seconds(1));  // the others' steps
  }
  EXPECT_THAT(after, ::testing::ElementsAre(3, 6, 7));
  EXPECT_EQ(work.spent(), 7 * kLayer);
  EXPECT_TRUE(work.Run(absl::Milliseconds(10)));
}

TEST_F(SlicedWorkTest, WithoutAnEndOfPatienceItIsDoneAtOnce) {
  SlicedWork work(clock_);
  work.Begin([this] { Layers(7); });
  EXPECT_FALSE(work.Run(kLayer));
  EXPECT_TRUE(work.Run(absl::InfiniteDuration()));
  EXPECT_EQ(done_, 7);
}

TEST_F(SlicedWorkTest, TheWorkKnowsItsTime) {
  absl::Duration prepared;
  SlicedWork work(clock_);
  work.Begin([&] {
    Layers(2);
    prepared = work.spent();
    Layers(1);
  });
  while (!work.Run(kLayer)) clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(prepared, 2 * kLayer);
  EXPECT_EQ(work.spent(), 3 * kLayer);
}

TEST_F(SlicedWorkTest, OneWorkAfterTheOtherHasTheSameThread) {
  std::vector<std::thread::id> threads;
  SlicedWork work(clock_);
  EXPECT_TRUE(work.ended());
  for (int i = 0; i < 3; ++i) {
    work.Begin([&] {
      threads.push_back(std::this_thread::get_id());
      Layers(2);
      if (i == 1) throw std::runtime_error("no memory");
    });
    EXPECT_FALSE(work.Run(kLayer));
    EXPECT_FALSE(work.ended());
    if (i == 1) {
      EXPECT_THROW(work.Run(kLayer), std::runtime_error);
    } else {
      EXPECT_TRUE(work.Run(kLayer));
    }
    EXPECT_TRUE(work.ended());
  }
  EXPECT_EQ(threads, std::vector<std::thread::id>(3, threads[0]));
  EXPECT_NE(threads[0], std::this_thread::get_id());
  EXPECT_EQ(done_, 6);
}

TEST_F(SlicedWorkTest, WhatIsThrownComesOut) {
  SlicedWork work(clock_);
  work.Begin([this] {
    Layers(2);
    throw std::runtime_error("no memory");
  });
  EXPECT_FALSE(work.Run(kLayer));
  EXPECT_THROW(work.Run(absl::InfiniteDuration()), std::runtime_error);
}

TEST_F(SlicedWorkTest, WhatWaitsIsBrokenOff) {
  bool unwound = false;
  {
    struct Unwinding {
      bool& unwound;
      ~Unwinding() { unwound = true; }
    };
    SlicedWork work(clock_);
    work.Begin([&] {
      const Unwinding unwinding = {unwound};
      Layers(7);
    });
    EXPECT_FALSE(work.Run(kLayer));
    SlicedWork never_run(clock_);
    never_run.Begin([this] { Layers(100); });
    const SlicedWork never_begun(clock_);
  }
  EXPECT_TRUE(unwound);
  EXPECT_EQ(done_, 1);
}

TEST_F(SlicedWorkTest, ElsewherePausePointsAreNothing) {
  Layers(2);
  EXPECT_EQ(done_, 2);
}

}  // namespace
}  // namespace genzo
