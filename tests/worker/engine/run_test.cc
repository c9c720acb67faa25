#include "worker/engine/run.h"

#include <stdexcept>

#include "ATen/ops/full.h"
#include "base/errors.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class RunTest : public ::testing::Test {
 protected:
  genzo::Run MakeRun(std::vector<int> steps) {
    const PreparedRef prepared =
        *denoiser_.Prepare({.tokens = at::zeros({1, 1, 1})});
    std::vector<Stage> stages;
    for (int count : steps) {
      stages.push_back({.denoiser = &denoiser_,
                        .prepared = prepared,
                        .guidance = {.rows = 1},
                        .sampler = std::make_unique<FakeWalk>(count)});
    }
    return genzo::Run(std::move(stages));
  }

  static at::Tensor One() { return at::full({1, 1, 1, 1}, 1.0f); }

  FakeBehaviour behaviour_;
  const FakeDenoiser denoiser_{behaviour_};
};

TEST_F(RunTest, WalksItsStagesOneAfterTheOther) {
  genzo::Run run = MakeRun({2, 3});
  for (int step = 0; step < 5; ++step) {
    ASSERT_FALSE(run.finished());
    EXPECT_EQ(run.progress().steps_done, step);
    EXPECT_EQ(run.progress().steps, 5);
    ASSERT_THAT(run.Take(One()), IsOk());
    EXPECT_TRUE(run.step_ended());
  }
  EXPECT_TRUE(run.finished());
  // The second began where the first ended.
  EXPECT_EQ(run.latent().item<float>(), 5);
}

TEST_F(RunTest, TheWayDownIsCountedWithoutTheWayUp) {
  const PreparedRef prepared = MakeRun({1}).stage().prepared;
  std::vector<Stage> stages;
  for (const int steps : {2, 3}) {
    stages.push_back({.denoiser = &denoiser_,
                      .prepared = prepared,
                      .guidance = {.rows = 1},
                      .sampler = std::make_unique<FakeWalk>(steps),
                      .inverts = steps == 2});
  }
  genzo::Run run(std::move(stages));
  for (int step = 1; step <= 5; ++step) {
    ASSERT_THAT(run.Take(One()), IsOk());
    EXPECT_EQ(run.progress().steps_done, step);
    EXPECT_EQ(run.progress().steps, 5);
    EXPECT_EQ(run.way_down().steps_done, std::max(0, step - 2));
    EXPECT_EQ(run.way_down().steps, 3);
  }
}

TEST_F(RunTest, GoesOnInAnotherWhereItWasSaved) {
  genzo::Run run = MakeRun({2, 3});
  for (int step = 0; step < 5; ++step) {
    genzo::Run next = MakeRun({2, 3});
    ASSERT_THAT(next.Restore(run.Save()), IsOk());
    for (int left = step; left < 5; ++left) {
      EXPECT_EQ(next.progress().steps_done, left);
      ASSERT_FALSE(next.finished());
      ASSERT_THAT(next.Take(One()), IsOk());
    }
    EXPECT_TRUE(next.finished());
    EXPECT_EQ(next.latent().item<float>(), 5) << step;
    ASSERT_THAT(run.Take(One()), IsOk());
  }
}

TEST_F(RunTest, IsNotRestoredFromOneOfOtherStages) {
  genzo::Run two = MakeRun({1, 2});
  ASSERT_THAT(two.Take(One()), IsOk());
  EXPECT_THAT(MakeRun({1}).Restore(two.Save()),
              StatusIs(absl::StatusCode::kInvalidArgument, "stage"));
  EXPECT_THAT(MakeRun({1}).Restore("nonsense"),
              StatusIs(absl::StatusCode::kInvalidArgument, "sampler state"));
}

TEST_F(RunTest, BehindATextGateItCannotBeSaved) {
  const auto gated = std::make_shared<Prepared>(*MakeRun({1}).stage().prepared);
  gated->edits = {{.take = std::make_shared<TextFeatures>()}};
  std::vector<Stage> stages;
  stages.push_back({.denoiser = &denoiser_,
                    .prepared = gated,
                    .guidance = {.rows = 1},
                    .sampler = std::make_unique<FakeWalk>(2)});
  EXPECT_EQ(genzo::Run(std::move(stages)).Save(), "");
}

TEST_F(RunTest, AStageMayBeginInItsOwnWay) {
  std::vector<Stage> stages;
  genzo::Run plain = MakeRun({1});
  const PreparedRef prepared = plain.stage().prepared;
  for (int i = 0; i < 2; ++i) {
    stages.push_back({.denoiser = &denoiser_,
                      .prepared = prepared,
                      .guidance = {.rows = 1},
                      .sampler = std::make_unique<FakeWalk>(1)});
  }
  stages[1].begin = [](Stage& stage, const at::Tensor& latent) {
    stage.sampler->Replace(latent * 10);
    return absl::OkStatus();
  };
  genzo::Run run(std::move(stages));
  ASSERT_THAT(run.Take(One()), IsOk());
  EXPECT_EQ(run.latent().item<float>(), 10);
}

TEST_F(RunTest, AStageThatCannotBeginEndsTheRun) {
  genzo::Run plain = MakeRun({1});
  std::vector<Stage> stages;
  for (int i = 0; i < 2; ++i) {
    stages.push_back({.denoiser = &denoiser_,
                      .prepared = plain.stage().prepared,
                      .guidance = {.rows = 1},
                      .sampler = std::make_unique<FakeWalk>(1)});
  }
  stages[1].begin = [](Stage&, const at::Tensor&) -> absl::Status {
    throw std::runtime_error("no second stage");
  };
  genzo::Run run(std::move(stages));
  EXPECT_THAT(run.Take(One()),
              StatusIs(absl::StatusCode::kInternal, "no second stage"));
}

// Saved there, it goes on from the hop elsewhere.
TEST_F(RunTest, AHopThatFailsLeavesTheRunWhereItWas) {
  const PreparedRef prepared = MakeRun({1}).stage().prepared;
  const auto stages = [&] {
    std::vector<Stage> made;
    for (int i = 0; i < 2; ++i) {
      made.push_back({.denoiser = &denoiser_,
                      .prepared = prepared,
                      .guidance = {.rows = 1},
                      .sampler = std::make_unique<FakeWalk>(1)});
    }
    made[1].through_pixels = PixelHop{.upscaler = "", .width = 8, .height = 8};
    return made;
  };
  std::vector<Stage> failing = stages();
  failing[1].begin = [](Stage&, const at::Tensor&) -> absl::Status {
    throw std::runtime_error("the device is gone");
  };
  genzo::Run run(std::move(failing));
  ASSERT_THAT(run.Take(One()), IsOk());
  EXPECT_THAT(run.Enter(One()),
              StatusIs(absl::StatusCode::kInternal, "the device is gone"));
  EXPECT_NE(run.hop(), nullptr);
  genzo::Run next(stages());
  ASSERT_THAT(next.Restore(run.Save()), IsOk());
  ASSERT_NE(next.hop(), nullptr);
  EXPECT_EQ(next.progress().steps_done, 1);
  EXPECT_EQ(next.latent().item<float>(), 1);
}

TEST_F(RunTest, WhatIsNotFiniteEndsTheRun) {
  genzo::Run run = MakeRun({2, 3});
  ASSERT_THAT(run.Take(One()), IsOk());
  const absl::Status taken = run.Take(One() / 0);
  EXPECT_EQ(ErrorReason(taken), "NOT_FINITE");
  EXPECT_THAT(taken, StatusIs(absl::StatusCode::kInternal, "step 2 gave"));
}

TEST_F(RunTest, EqualShapesHaveEqualKeys) {
  EXPECT_EQ(MakeRun({1}).key(), MakeRun({4, 2}).key());
  EXPECT_EQ(MakeRun({1}).key().denoiser, &denoiser_);
}

}  // namespace
}  // namespace genzo
