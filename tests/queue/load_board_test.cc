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

TEST_F(LoadBoardTest, KnowsWhichDeviceIsFreer) {
  board_.SetDevices(2);
  EXPECT_FALSE(board_.OthersAreFreer(0));
  board_.Add("a", Work(10), std::nullopt);
  board_.Add("b", Work(10), std::nullopt);
  EXPECT_FALSE(board_.OthersAreFreer(0));  // both wait
  board_.Start("a", 0);
  EXPECT_TRUE(board_.OthersAreFreer(0));
  EXPECT_FALSE(board_.OthersAreFreer(1));
  board_.Start("b", 1);
  EXPECT_FALSE(board_.OthersAreFreer(0));
  board_.Advance("b", 0, 8);
  EXPECT_FALSE(board_.OthersAreFreer(0));  // nearly the same
  board_.Advance("b", 0, 5);
  EXPECT_TRUE(board_.OthersAreFreer(0));
  board_.Remove("a");
  EXPECT_FALSE(board_.OthersAreFreer(0));
  EXPECT_TRUE(board_.OthersAreFreer(1));
}

TEST_F(LoadBoardTest, PredictsANewcomerBehindThoseDueBefore) {
  EXPECT_EQ(board_.PredictNew(Work(5)), 57 * kMs);
  board_.Add("a", Work(4), std::nullopt);
  board_.Add("b", Work(4), std::nullopt);
  EXPECT_EQ(board_.PredictNew(Work(5)), 4 * 16 * kMs + 57 * kMs);
  board_.Advance("a", 0, 2);
  board_.Remove("b");
  EXPECT_EQ(board_.PredictNew(Work(5)), 2 * 16 * kMs + 3 * 10 * kMs + 7 * kMs);
  EXPECT_EQ(board_.PredictAll(absl::UnixEpoch()).at("a"),
            2 * 10 * kMs + 7 * kMs);
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

TEST_F(LoadBoardTest, LearnsWhatDecodesTakeForEachSize) {
  JobWork small = Work(5);
  small.pixels = 25;
  const absl::Duration steps = board_.SoloTime(small) - 7 * kMs / 4;
  for (int i = 0; i < 50; ++i) board_.ObserveDecode("m", 25, 4 * kMs);
  EXPECT_EQ(board_.SoloTime(small), steps + 4 * kMs);
  EXPECT_EQ(board_.SoloTime(Work(5)), 57 * kMs) << "another size";
  board_.ObserveDecode("other", 25, kMs);  // as its model may have gone
}

TEST_F(LoadBoardTest, GetsOverAProfileOfABadMoment) {
  for (int i = 0; i < 200; ++i) board_.Observe("m", 100, 2, kMs);
  EXPECT_NEAR(absl::ToDoubleMilliseconds(board_.SoloTime(Work(5))), 12, 0.1);
}

TEST_F(LoadBoardTest, LearnsHowLateJobsAre) {
  JobWork work = Work(5);
  for (int i = 0; i < 50; ++i) {
    work.accepted += absl::Seconds(10);
    board_.Add("a", work, board_.PredictNew(work));
    board_.LearnFrom("a", work.accepted + 2 * 57 * kMs);
    board_.Remove("a");
  }
  EXPECT_NEAR(absl::FDivDuration(*board_.PredictNew(work), 57 * kMs), 2, 0.05);
  // Were all that come refused for it, it would not be learned anew.
  work.accepted += 2 * LoadBoard::kForgetLateness;
  EXPECT_LT(*board_.PredictNew(work), 1.5 * 57 * kMs);
  work.accepted += 9 * LoadBoard::kForgetLateness;
  EXPECT_NEAR(absl::FDivDuration(*board_.PredictNew(work), 57 * kMs), 1, 0.01);
}

TEST_F(LoadBoardTest, KnowsSamplersThatEvaluateMoreOften) {
  board_.SetSpeed("m", {.costs = StepCosts({{2, 10 * kMs}, {4, 16 * kMs}}),
                        .own_pixels = 100,
                        .largest_batch = 4,
                        .decode = 7 * kMs,
                        .evaluations = {{v1::GenerateRequest::SAMPLER_PNDM,
                                         {.per_step = 2, .extra = 3}}}});
  JobWork work = Work(5);
  work.sampler = v1::GenerateRequest::SAMPLER_PNDM;
  EXPECT_EQ(board_.SoloTime(work), 13 * 10 * kMs + 7 * kMs);
  EXPECT_EQ(board_.PredictNew(work), 13 * 10 * kMs + 7 * kMs);
}

TEST_F(LoadBoardTest, ANewcomerWaitsForTheEvaluationUnderWay) {
  board_.Begin(/*device=*/0, Work(5), /*rows=*/4, absl::UnixEpoch() - 6 * kMs);
  EXPECT_EQ(board_.PredictNew(Work(5)), 10 * kMs + 57 * kMs);
  board_.Begin(/*device=*/0, Work(5), /*rows=*/4, absl::UnixEpoch() - 60 * kMs);
  EXPECT_EQ(board_.PredictNew(Work(5)), 57 * kMs);
}

TEST_F(LoadBoardTest, ExpectsNobodyWhereNobodyCameMeanwhile) {
  JobWork work = Work(5);
  for (size_t i = 0; i < LoadBoard::kRecent; ++i) {
    board_.Add("a", work, std::nullopt);
    work.accepted += 57 * kMs;
    board_.LearnFrom("a", work.accepted);
    board_.Remove("a");
  }
  EXPECT_EQ(board_.PredictNew(work), 57 * kMs);
}

TEST_F(LoadBoardTest, ExpectsAsManyAsWereDoneOfLate) {
  // One of 5 steps every 40 ms, of which one alone takes 50: two run together.
  absl::Time now = absl::UnixEpoch();
  for (size_t i = 0; i < LoadBoard::kRecent; ++i) {
    now += 40 * kMs;
    JobWork work = Work(5);
    work.accepted = now - 57 * kMs;
    board_.Add("a", work, std::nullopt);
    board_.Add("b", work, std::nullopt);
    board_.LearnFrom("a", now);
    board_.Remove("a");
    board_.Remove("b");
  }
  JobWork work = Work(20);
  work.accepted = now;
  EXPECT_GT(board_.PredictNew(work), 20 * 14 * kMs);
  work.accepted = now + absl::Hours(1);
  EXPECT_EQ(board_.PredictNew(work), 207 * kMs) << "nothing came since";
}

AdmissionFacts Facts() {
  AdmissionFacts facts;
  facts.waiting = 1;
  facts.capacity = 2;
  facts.time_per_place = absl::Seconds(3);
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
  facts.places_short = 2;
  const absl::Status status = Admit(facts);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, "limit is 2"));
  EXPECT_EQ(ErrorReason(status), "QUEUE_FULL");
  EXPECT_EQ(RetryAfter(status), absl::Seconds(6));
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
