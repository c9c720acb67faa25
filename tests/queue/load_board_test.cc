#include "queue/load_board.h"

#include "base/errors.h"
#include "queue/admission.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

constexpr absl::Duration kMs = absl::Milliseconds(1);

class LoadBoardTest : public ::testing::Test {
 protected:
  LoadBoardTest() {
    board_.SetSpeed("m", {.costs = StepCosts({{2, 10 * kMs}, {4, 16 * kMs}}),
                          .own_pixels = 100,
                          .largest_batch = 4,
                          .decode = 7 * kMs});
  }

  JobWork Work(int steps, int images = 1) const {
    return {.model = "m",
            .tenant = "",
            .pixels = 100,
            .rows = 2,
            .images = images,
            .steps = steps,
            .accepted = absl::UnixEpoch()};
  }

  LoadBoard board_;
};

TEST_F(LoadBoardTest, KnowsWhatAJobTakesAlone) {
  EXPECT_EQ(board_.SoloTime(Work(5)), 57 * kMs);
  EXPECT_EQ(board_.SoloTime(Work(5, 2)), 87 * kMs);
  EXPECT_EQ(board_.StartBy(Work(5)),
            absl::UnixEpoch() + (LoadBoard::kPatience - 1) * 57 * kMs);
  JobWork urgent = Work(5);
  urgent.deadline = absl::UnixEpoch() + 60 * kMs;
  EXPECT_EQ(board_.StartBy(urgent), absl::UnixEpoch() + 3 * kMs);
}

TEST_F(LoadBoardTest, PredictsNothingOfAModelItDoesNotKnow) {
  JobWork work = Work(5);
  work.model = "other";
  EXPECT_FALSE(board_.PredictNew(work).has_value());
}

TEST_F(LoadBoardTest, PredictsANewcomerBehindThoseDueBefore) {
  EXPECT_EQ(board_.PredictNew(Work(5)), 57 * kMs);
  board_.Add("a", Work(4), std::nullopt);
  board_.Add("b", Work(4), std::nullopt);
  EXPECT_EQ(board_.PredictNew(Work(5)), 4 * 16 * kMs + 57 * kMs);
  board_.Advance("a", 0, 2);
  board_.Remove("b");
  EXPECT_EQ(board_.PredictNew(Work(5)), 2 * 16 * kMs + 3 * 10 * kMs + 7 * kMs);
  EXPECT_EQ(board_.PredictAll().at("a"), 2 * 10 * kMs + 7 * kMs);
}

TEST_F(LoadBoardTest, SpreadsWaitingJobsOverDevices) {
  board_.SetDevices(2);
  board_.Add("a", Work(40), std::nullopt);
  board_.Start("a", 1);
  board_.Add("b", Work(6), std::nullopt);
  EXPECT_EQ(board_.PredictNew(Work(5)), 5 * 16 * kMs + 7 * kMs)
      << "on device 0, together with b";
}

TEST_F(LoadBoardTest, LearnsFromWhatEvaluationsTake) {
  for (int i = 0; i < 50; ++i) board_.Observe("m", 100, 2, 20 * kMs);
  EXPECT_EQ(board_.SoloTime(Work(5)), 107 * kMs);
  board_.Observe("m", 400, 2, absl::Seconds(9));
  EXPECT_EQ(board_.SoloTime(Work(5)), 107 * kMs) << "another size";
}

TEST_F(LoadBoardTest, LearnsHowLateJobsAre) {
  for (int i = 0; i < 50; ++i) {
    board_.Add("a", Work(5), board_.PredictNew(Work(5)));
    board_.LearnFrom("a", absl::UnixEpoch() + 2 * 57 * kMs);
    board_.Remove("a");
  }
  EXPECT_NEAR(absl::FDivDuration(*board_.PredictNew(Work(5)), 57 * kMs), 2,
              0.05);
}

AdmissionFacts Facts() {
  AdmissionFacts facts;
  facts.waiting = 1;
  facts.capacity = 2;
  facts.time_to_place = absl::Seconds(3);
  return facts;
}

TEST(AdmissionTest, LetsInWhatFits) {
  AdmissionFacts facts = Facts();
  facts.predicted = absl::Seconds(5);
  facts.time_to_deadline = absl::Seconds(5);
  EXPECT_THAT(Admit(facts), IsOk());
}

TEST(AdmissionTest, AFullQueueSaysWhenToComeBack) {
  AdmissionFacts facts = Facts();
  facts.waiting = 2;
  const absl::Status status = Admit(facts);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "limit is 2"));
  EXPECT_EQ(ErrorReason(status), "QUEUE_FULL");
  EXPECT_EQ(RetryAfter(status), absl::Seconds(3));
}

TEST(AdmissionTest, RefusesWhatWouldBeLate) {
  AdmissionFacts facts = Facts();
  facts.predicted = absl::Seconds(9);
  facts.time_to_deadline = absl::Seconds(5);
  const absl::Status status = Admit(facts);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               "would take 9.0 s, its deadline is in 5.0 s"));
  EXPECT_EQ(ErrorReason(status), "DEADLINE_UNREACHABLE");
  EXPECT_EQ(RetryAfter(status), absl::Seconds(4));
}

}  // namespace
}  // namespace genzo
