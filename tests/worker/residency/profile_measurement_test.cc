#include "worker/residency/profile_measurement.h"

#include <vector>

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/device/thread_count.h"
#include "worker/threads/pause_point.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;
using ::testing::Pair;

// A model whose evaluations take what they are told to.
struct Script {
  absl::Duration fixed = absl::Milliseconds(10);
  absl::Duration per_row = absl::Milliseconds(1);
  absl::Duration decode = absl::Milliseconds(30);
  int layers = 1;                // with pauses in between
  bool rows_differ = false;      // by their company
  absl::Duration disturbed;      // longer, by every other evaluation
  double waiting = 0;            // for cores, of the time, by the first ones
  int starved = 0;               // how many these are
  std::vector<int> evaluated;    // rows, in order
  absl::Duration waited;         // for cores
  int memory_ends_at = INT_MAX;  // rows
  int64_t bytes_per_row = 0;
  int decoded = 0;
  int forgotten = 0;
};

class FakeSubject : public ProfileSubject {
 public:
  FakeSubject(Script& script, FakeClock& clock)
      : script_(script), clock_(clock) {}

  void Prepare(int rows, bool /*at_leisure*/) override { rows_ = rows; }
  at::Tensor Evaluate() override {
    const absl::Time begin = clock_.Now();
    script_.evaluated.push_back(rows_);
    if (rows_ >= script_.memory_ends_at) throw std::bad_alloc();
    at::zeros({rows_ * script_.bytes_per_row}, at::kByte);
    for (int i = 0; i < script_.layers; ++i) {
      PausePoint();
      clock_.Advance((script_.fixed + script_.per_row * rows_) /
                     script_.layers);
    }
    if (script_.evaluated.size() % 2 == 0) clock_.Advance(script_.disturbed);
    if (static_cast<int>(script_.evaluated.size()) <= script_.starved) {
      script_.waited += script_.waiting * (clock_.Now() - begin);
    }
    return script_.rows_differ ? at::ones({rows_, 1}) * rows_
                               : at::ones({rows_, 1});
  }
  void Decode() override {
    ++script_.decoded;
    clock_.Advance(script_.decode);
  }
  void Forget() override { ++script_.forgotten; }
  bool on_cpu() const override { return true; }

 private:
  Script& script_;
  FakeClock& clock_;
  int rows_ = 0;
};

class ProfileMeasurementTest : public ::testing::Test {
 protected:
  void Make(ProfileOptions options = {}) {
    options.core_wait = [this] { return script_.waited; };
    measurement_ = std::make_unique<ProfileMeasurement>(
        std::make_unique<FakeSubject>(script_, clock_), options, clock_);
  }
  // To the end; the longest step.
  absl::Duration Run(absl::Duration patience = absl::InfiniteDuration()) {
    absl::Duration longest;
    for (bool done = false; !done;) {
      const absl::Time begin = clock_.Now();
      done = measurement_->Step(patience);
      longest = std::max(longest, clock_.Now() - begin);
    }
    return longest;
  }
  const StepProfile& profile() const { return measurement_->profile(); }

  FakeClock clock_;
  Script script_;
  std::unique_ptr<ProfileMeasurement> measurement_;
};

TEST_F(ProfileMeasurementTest, WhereMemoryEndsTheSearchDoes) {
  script_.memory_ends_at = 4;
  Make();
  Run();
  EXPECT_THAT(profile().costs.measured(), ElementsAre(Key(1), Key(2)));
  EXPECT_GT(script_.decoded, 0);
  EXPECT_TRUE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, NoRowsThatTheBudgetHasNoRoomFor) {
  script_.bytes_per_row = 64 << 20;
  Make({.memory_bytes = 200 << 20});
  Run();
  EXPECT_THAT(profile().costs.measured(), ElementsAre(Key(1), Key(2)));
}

TEST_F(ProfileMeasurementTest, WithoutMemoryForOneRowItFails) {
  script_.memory_ends_at = 1;
  Make();
  EXPECT_THROW(Run(), std::bad_alloc);
}

TEST_F(ProfileMeasurementTest, MeasuresUntilMoreRowsGainNothing) {
  script_.fixed = absl::Milliseconds(1);
  script_.per_row = absl::Milliseconds(10);
  Make();
  Run();
  EXPECT_THAT(profile().costs.measured(),
              ElementsAre(Pair(1, absl::Milliseconds(11)),
                          Pair(2, absl::Milliseconds(21)),
                          Pair(4, absl::Milliseconds(41)),
                          Pair(8, absl::Milliseconds(81))))
      << "and once more, as the first may have been disturbed";
  EXPECT_EQ(profile().decode, absl::Milliseconds(30));
  EXPECT_TRUE(measurement_->sound());
  EXPECT_EQ(script_.forgotten, 1);
}

TEST_F(ProfileMeasurementTest, MakesOneEvaluationAStep) {
  Make();
  size_t before = 0;
  while (!measurement_->Step(absl::InfiniteDuration())) {
    const size_t now = script_.evaluated.size() + script_.decoded;
    EXPECT_EQ(now, before + 1);
    before = now;
  }
}

TEST_F(ProfileMeasurementTest, NoStepIsLongerThanTheOthersPatience) {
  Make({.largest_rows = 64});
  const absl::Duration patience = absl::Milliseconds(20);
  EXPECT_LE(Run(patience), patience);
  EXPECT_THAT(profile().costs.measured(),
              ElementsAre(Pair(1, absl::Milliseconds(11))))
      << "two rows were expected to take twice as long";
  EXPECT_EQ(script_.decoded, 0);
  EXPECT_EQ(profile().decode, absl::Milliseconds(33)) << "a guess";
  EXPECT_FALSE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, OfALargeModelOnlyOneEvaluationIsMade) {
  script_.fixed = absl::Seconds(2);
  Make();
  Run(absl::Milliseconds(20));
  EXPECT_THAT(script_.evaluated, ElementsAre(1));
  EXPECT_TRUE(profile().costs.known());
  EXPECT_FALSE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, TheFirstEvaluationIsCutToTheOthersPatience) {
  script_.fixed = absl::Seconds(2) - script_.per_row;
  script_.layers = 200;
  Make();
  EXPECT_LE(Run(absl::Milliseconds(20)), absl::Milliseconds(20));
  EXPECT_THAT(script_.evaluated, ElementsAre(1));
  EXPECT_THAT(profile().costs.measured(),
              ElementsAre(Pair(1, absl::Seconds(2))));
  EXPECT_FALSE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, WhoeverComesWhileItIsAtLeisureWaitsForASlice) {
  script_.fixed = absl::Seconds(2);
  script_.layers = 200;
  Make({.largest_rows = 4});
  EXPECT_LE(Run(), absl::Milliseconds(40));
  EXPECT_EQ(profile().costs.measured().size(), 1u) << "past its budget";
  EXPECT_TRUE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest,
       WhatIsUnderWayIsLeftOutOnceOthersHaveLessPatience) {
  script_.fixed = absl::Seconds(2);
  script_.layers = 200;
  Make();
  while (script_.evaluated.size() < 2) {
    ASSERT_FALSE(measurement_->Step(absl::InfiniteDuration()));
  }
  EXPECT_LE(Run(absl::Milliseconds(20)), absl::Milliseconds(20));
  EXPECT_EQ(script_.evaluated.size(), 2u);
  EXPECT_FALSE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, IsGivenUpInTheMiddleOfTheFirstEvaluation) {
  script_.layers = 200;
  Make();
  const absl::Time begin = clock_.Now();
  EXPECT_FALSE(measurement_->Step(absl::Milliseconds(1)));
  measurement_.reset();
  EXPECT_THAT(script_.evaluated, ElementsAre(1));
  EXPECT_LT(clock_.Now() - begin, absl::Milliseconds(2));
}

TEST_F(ProfileMeasurementTest, WhatNobodyDisturbedIsSoundThoughOthersRan) {
  Make({.largest_rows = 4});
  Run(absl::Seconds(1));
  EXPECT_TRUE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, DisturbedTimesAreNotSoundWhenOthersRan) {
  script_.disturbed = absl::Seconds(1);
  Make({.largest_rows = 4});
  Run(absl::Seconds(5));
  EXPECT_FALSE(measurement_->sound());
  Make({.largest_rows = 4});
  Run();
  EXPECT_TRUE(measurement_->sound()) << "at leisure the best counts";
}

TEST_F(ProfileMeasurementTest, IsNotSoundIfThreadsAlwaysWaitedForCores) {
  script_.waiting = 0.5;
  script_.starved = 1000;
  Make({.largest_rows = 2});
  Run();
  EXPECT_FALSE(measurement_->sound());
  EXPECT_TRUE(measurement_->at_leisure());
  EXPECT_TRUE(profile().costs.known()) << "better than nothing";
}

TEST_F(ProfileMeasurementTest, ALittleWaitingIsAlways) {
  script_.waiting = 0.05;
  script_.starved = 1000;
  Make({.largest_rows = 2});
  Run();
  EXPECT_TRUE(measurement_->sound());
}

TEST_F(ProfileMeasurementTest, OneThatDidNotWaitIsEnough) {
  script_.fixed = absl::Milliseconds(200);
  script_.disturbed = absl::Milliseconds(10);
  script_.waiting = 0.5;
  script_.starved = 2;  // to warm up, and the first of two that count
  Make({.largest_rows = 1});
  Run();
  EXPECT_TRUE(measurement_->sound());
  EXPECT_EQ(script_.evaluated.size(), 3u);
}

TEST_F(ProfileMeasurementTest, EndsWithItsBudget) {
  script_.fixed = absl::Seconds(5);
  Make({.largest_rows = 64, .budget = absl::Seconds(3)});
  Run();
  EXPECT_EQ(profile().costs.measured().size(), 1u);
  EXPECT_EQ(script_.evaluated.size(), 3u) << "to warm up, and twice";
}

TEST_F(ProfileMeasurementTest, NoticesThatRowsDependOnTheirCompany) {
  Make({.largest_rows = 2});
  Run();
  EXPECT_TRUE(profile().rows_independent);
  script_.rows_differ = true;
  Make({.largest_rows = 2});
  Run();
  EXPECT_FALSE(profile().rows_independent);
}

TEST(ModelProfileTest, BitsDoNotDependOnTheCompany) {
  const c10::InferenceMode inference;
  UseThreads(2);
  const auto model = LoadPipeline(TinyModelFolder(), Placement());
  ASSERT_THAT(model.status(), IsOk());
  const FakeClock clock;
  ProfileMeasurement measurement(SubjectOf(**model), {.largest_rows = 4},
                                 clock);
  while (!measurement.Step(absl::InfiniteDuration())) {
  }
  EXPECT_TRUE(measurement.profile().rows_independent);
  EXPECT_GT(measurement.profile().activation_bytes, 0);
}

}  // namespace
}  // namespace genzo
