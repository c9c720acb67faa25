#include <algorithm>
#include <new>
#include <stdexcept>

#include "tests/worker/engine/engine_fixture.h"

namespace genzo {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::SizeIs;

TEST_F(EngineTest, PaintsWhatWasAsked) {
  const std::string id = Submit(/*prompt=*/7, /*steps=*/3, /*images=*/2);
  Work();
  const Outcome outcome = OutcomeOf(id);
  EXPECT_THAT(outcome.status(), IsOk());
  EXPECT_EQ(outcome.started, 1);
  EXPECT_THAT(outcome.images, ::testing::UnorderedElementsAre(0, 1));
  EXPECT_EQ(outcome.ended.steps_run(), 6u);
  EXPECT_THAT(
      behaviour_.evaluations,
      ElementsAre(ElementsAre(7, 7), ElementsAre(7, 7), ElementsAre(7, 7)));
}

TEST_F(EngineTest, StagesFollowOneAnother) {
  behaviour_.stages = 2;
  const std::string id = Submit(7, /*steps=*/3);
  Work();
  const Outcome outcome = OutcomeOf(id);
  EXPECT_THAT(outcome.status(), IsOk());
  EXPECT_THAT(outcome.steps, ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(outcome.images, ElementsAre(0));
}

TEST_F(EngineTest, JobsShareEvaluationsAndLeaveWhenTheyAreDone) {
  Submit(1, /*steps=*/1);
  Submit(2, /*steps=*/3);
  Work();
  ASSERT_THAT(behaviour_.evaluations, SizeIs(3));
  EXPECT_THAT(behaviour_.evaluations[0], SizeIs(2));
  EXPECT_THAT(behaviour_.evaluations[1], ElementsAre(2));
  EXPECT_THAT(behaviour_.evaluations[2], ElementsAre(2));
}

TEST_F(EngineTest, NoMoreRunsAreLiveThanThereAreRows) {
  for (int i = 0; i < 6; ++i) Submit(i + 1, /*steps=*/2);
  Work();
  size_t rows = 0;
  for (const auto& prompts : behaviour_.evaluations) {
    EXPECT_LE(prompts.size(), 4u);
    rows += prompts.size();
  }
  EXPECT_EQ(rows, 12u);
}

// One at a time: tenants in turn, a tenant's by priority, equals as they came.
TEST_F(EngineTest, JobsAreAdmittedInTheOrderOfTheQueue) {
  config_.max_live_runs = 1;
  config_.max_batch_rows = 1;
  const auto submit = [this](const std::string& tenant, v1::Priority priority,
                             int prompt) {
    tenant_ = tenant;
    priority_ = priority;
    Submit(prompt, /*steps=*/2);
  };
  submit("x", v1::PRIORITY_LOW, 1);
  submit("x", v1::PRIORITY_NORMAL, 2);
  submit("x", v1::PRIORITY_NORMAL, 3);
  submit("x", v1::PRIORITY_HIGH, 4);
  submit("y", v1::PRIORITY_LOW, 5);
  Work();
  std::vector<double> first_seen;
  for (const auto& prompts : behaviour_.evaluations) {
    for (const double prompt : prompts) {
      const auto seen = std::find(first_seen.begin(), first_seen.end(), prompt);
      if (seen == first_seen.end()) first_seen.push_back(prompt);
    }
  }
  EXPECT_THAT(first_seen, ElementsAre(4, 5, 2, 3, 1));
}

TEST_F(EngineTest, CancelledAtAnyStepAJobLeavesAtTheNext) {
  for (int step = 1; step <= 4; ++step) {
    queue_ = NewQueue();
    const std::string id = Submit(1, /*steps=*/4, /*images=*/2);
    const std::string other = Submit(2, /*steps=*/4);
    int evaluation = 0;
    hook_ = [&](const std::vector<double>&) {
      if (++evaluation == step) queue_->Cancel(id);
    };
    Work();
    EXPECT_EQ(OutcomeOf(other).ended.state(), v1::JOB_STATE_SUCCEEDED);
    const Outcome outcome = OutcomeOf(id);
    // In the last evaluation it is too late: its pictures may be on their way.
    if (step < 4) {
      EXPECT_EQ(outcome.ended.state(), v1::JOB_STATE_CANCELLED) << step;
      for (size_t i = step; i < behaviour_.evaluations.size(); ++i) {
        EXPECT_THAT(behaviour_.evaluations[i], Each(2)) << step;
      }
    }
    EXPECT_FALSE(behaviour_.evaluations.empty());
  }
}

TEST_F(EngineTest, AJobPastItsLimitLeavesAtTheNextStep) {
  const std::string id = Submit(1, /*steps=*/50, /*images=*/1, "a",
                                /*limit=*/absl::Seconds(30));
  hook_ = [&](const std::vector<double>&) {
    if (behaviour_.evaluations.size() == 3) clock_.Advance(absl::Minutes(1));
  };
  Work();
  EXPECT_EQ(OutcomeOf(id).ended.state(), v1::JOB_STATE_EXPIRED);
  EXPECT_THAT(behaviour_.evaluations, SizeIs(4));
}

TEST_F(EngineTest, OneBadRunEndsItselfAlone) {
  const std::string good = Submit(1, /*steps=*/3);
  const std::string bad = Submit(13, /*steps=*/3);
  const std::string other = Submit(2, /*steps=*/3);
  hook_ = [&](const std::vector<double>& prompts) {
    for (double prompt : prompts) {
      if (prompt == 13) throw std::runtime_error("thirteen");
    }
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_THAT(OutcomeOf(other).status(), IsOk());
  EXPECT_THAT(OutcomeOf(bad).status(),
              StatusIs(absl::StatusCode::kInternal, "thirteen"));
}

TEST_F(EngineTest, ValuesThatAreNotFiniteEndTheirImageAlone) {
  const std::string good = Submit(1, /*steps=*/2);
  const std::string bad = Submit(13, /*steps=*/2);
  behaviour_.prediction = [](double prompt) {
    return prompt == 13 ? std::nan("") : 1.0;
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "NOT_FINITE");
}

TEST_F(EngineTest, OutOfMemoryRunsAreTriedAgainFewerAtATime) {
  std::vector<std::string> ids;
  for (int i = 1; i <= 4; ++i) ids.push_back(Submit(i, /*steps=*/3));
  std::vector<size_t> tried;
  hook_ = [&](const std::vector<double>& prompts) {
    tried.push_back(prompts.size());
    if (prompts.size() > 2) throw std::bad_alloc();
  };
  Work();
  for (const std::string& id : ids) {
    EXPECT_THAT(OutcomeOf(id).status(), IsOk());
  }
  EXPECT_THAT(tried, Contains(4u));
  EXPECT_EQ(std::count(tried.begin(), tried.end(), 4u), 1) << "learned";
}

TEST_F(EngineTest, AJobThatDoesNotFitAloneFails) {
  const std::string id = Submit(1, /*steps=*/3);
  hook_ = [](const std::vector<double>&) { throw std::bad_alloc(); };
  Work();
  EXPECT_THAT(OutcomeOf(id).status(),
              StatusIs(absl::StatusCode::kResourceExhausted, ""));
}

// Its request's size fits; what it grows to does not.
TEST_F(EngineTest, AJobWhoseSecondPassDoesNotFitIsRefused) {
  StepProfile profile;
  profile.costs = StepCosts({{1, absl::Milliseconds(10)}});
  profile.activation_bytes = 1 << 18;  // of 8x8; the device has 1 << 20
  Profile(profile);
  const std::string small = Submit(1, /*steps=*/2);
  hires_.set_width(24);
  hires_.set_height(24);
  hires_.set_steps(2);
  hires_.set_strength(1);
  const std::string large = Submit(2, /*steps=*/2);
  Work();
  EXPECT_THAT(OutcomeOf(small).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(large).status()), "DOES_NOT_FIT");
  EXPECT_THAT(behaviour_.evaluations, Each(Each(1)));
}

TEST_F(EngineTest, ATextThatCannotBeEncodedFailsItsJobAlone) {
  const std::string good = Submit(1, /*steps=*/2);
  const std::string bad = Submit(13, /*steps=*/2);
  behaviour_.before_encoding = [](const v1::GenerateRequest& request) {
    if (request.prompt() == "13") throw std::runtime_error("unreadable");
  };
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_THAT(OutcomeOf(bad).status(),
              StatusIs(absl::StatusCode::kInternal, "unreadable"));
}

TEST_F(EngineTest, AJobOfAModelThatFailedHearsWhy) {
  broken_ = "b";
  const std::string good = Submit(1, /*steps=*/2, /*images=*/1, "a");
  const std::string bad = Submit(2, /*steps=*/2, /*images=*/1, "b");
  Work();
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "MODEL_FAILED");
}

TEST_F(EngineTest, ModelsDoNotShareEvaluations) {
  Submit(1, /*steps=*/2, /*images=*/1, "a");
  Submit(2, /*steps=*/2, /*images=*/1, "b");
  Work();
  EXPECT_THAT(behaviour_.evaluations, SizeIs(4));
  EXPECT_THAT(behaviour_.evaluations, Each(SizeIs(1)));
}

TEST_F(EngineTest, WhatIsSubmittedMeanwhileJoinsAtTheNextStep) {
  Submit(1, /*steps=*/4);
  stays_open_ = true;
  hook_ = [&](const std::vector<double>&) {
    if (jobs_ > 1) return;
    Submit(2, /*steps=*/2);
    queue_->Close();
  };
  Work();
  EXPECT_THAT(behaviour_.evaluations, ElementsAre(ElementsAre(1), SizeIs(2),
                                                  SizeIs(2), ElementsAre(1)));
}

// All evaluations fail, and so does every probe that the fake device cannot
// tell: here the CPU is sound, so runs fail and the device stays.
TEST_F(EngineTest, ASoundDeviceIsNotBlamedForItsRuns) {
  const std::string bad = Submit(13, /*steps=*/3);
  const std::string good = Submit(1, /*steps=*/3);
  int failures = 0;
  hook_ = [&](const std::vector<double>& prompts) {
    for (double prompt : prompts) {
      if (prompt != 13) continue;
      ++failures;
      throw std::runtime_error("always");
    }
  };
  Work();
  EXPECT_EQ(failures, 2) << "together, and alone";
  EXPECT_THAT(OutcomeOf(good).status(), IsOk());
  EXPECT_EQ(ErrorReason(OutcomeOf(bad).status()), "EVALUATION_FAILED");
}

}  // namespace
}  // namespace genzo
