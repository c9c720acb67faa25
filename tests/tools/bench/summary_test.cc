#include "tools/bench/summary.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using absl::Seconds;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

SoloTimes Solo() {
  return {.by_kind = {Seconds(1), Seconds(3)}, .deadline_factor = 2};
}

Measurement Painted(int kind, absl::Duration total) {
  return {.kind = kind, .pictures = 1, .total = total};
}

Measurement Refused(const std::string& reason) {
  return {.code = grpc::StatusCode::UNAVAILABLE, .reason = reason};
}

Summary Of(std::vector<Measurement> measurements) {
  return Summarize(
      {.measurements = std::move(measurements), .window = Seconds(10)}, Solo());
}

TEST(SoloTimesTest, HaveAMeanAndALimitOfEachKind) {
  EXPECT_EQ(Solo().Mean(), Seconds(2));
  EXPECT_EQ(Solo().Limit(1), Seconds(6));
}

TEST(SummaryTest, CountsPicturesAndThoseInTime) {
  const Summary summary = Of({Painted(0, Seconds(2)), Painted(0, Seconds(3)),
                              Painted(1, Seconds(6)), Refused("QUEUE_FULL")});
  EXPECT_EQ(summary.calls, 4);
  EXPECT_EQ(summary.succeeded, 3);
  EXPECT_DOUBLE_EQ(summary.pictures_per_second, 0.3);
  EXPECT_DOUBLE_EQ(summary.goodput_per_second, 0.2);
  EXPECT_THAT(summary.outcomes,
              ElementsAre(Pair("OK", 3), Pair("QUEUE_FULL", 1)));
}

TEST(SummaryTest, HoldsEachKindAgainstItsOwnSoloTime) {
  const Summary summary = Of({Painted(0, Seconds(2)), Painted(1, Seconds(6))});
  ASSERT_TRUE(summary.slowdown.has_value());
  EXPECT_DOUBLE_EQ(summary.slowdown->p50, 2);
  EXPECT_DOUBLE_EQ(summary.slowdown->p99, 2);
}

TEST(SummaryTest, ComparesPredictionsWithTheEnd) {
  Measurement call = Painted(0, Seconds(10));
  call.queued_prediction = {.at = Seconds(2), .left = Seconds(6)};
  call.step_prediction = {.at = Seconds(5), .left = Seconds(6)};
  const Summary summary = Of({call});
  EXPECT_THAT(summary.queued_prediction_error->p50, DoubleNear(0.25, 1e-9));
  EXPECT_THAT(summary.step_prediction_error->p50, DoubleNear(0.2, 1e-9));
}

TEST(SummaryTest, HasNothingToSayOfWhatDidNotHappen) {
  const Summary summary = Of({Refused("DRAINING")});
  EXPECT_FALSE(summary.total.has_value());
  EXPECT_FALSE(summary.first_step.has_value());
  EXPECT_FALSE(summary.queued_prediction_error.has_value());
  EXPECT_FALSE(summary.jain.has_value()) << "one tenant";
  EXPECT_TRUE(summary.batch_rows.empty());
}

TEST(SummaryTest, CountsATenantThatGotNothing) {
  Measurement one = Painted(0, Seconds(1));
  one.tenant = "one";
  Measurement other = Refused("QUEUE_FULL");
  other.tenant = "other";
  const Summary summary = Of({one, other});
  EXPECT_THAT(summary.tenant_pictures,
              ElementsAre(Pair("one", 1), Pair("other", 0)));
  EXPECT_THAT(summary.jain, Optional(0.5));
}

TEST(SummaryTest, TellsLostFromHung) {
  const Summary summary =
      Of({Measurement(), {.hung = true, .code = grpc::StatusCode::CANCELLED}});
  EXPECT_EQ(summary.lost, 1);
  EXPECT_EQ(summary.hung, 1);
}

TEST(LoadResultTest, AppendsALaterPart) {
  LoadResult result = {.measurements = {Measurement()}, .window = Seconds(2)};
  result.Append({.measurements = {Measurement()},
                 .window = Seconds(3),
                 .unsent = 1,
                 .server_gone = true});
  EXPECT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.window, Seconds(5));
  EXPECT_EQ(result.unsent, 1);
  EXPECT_TRUE(result.server_gone);
}

}  // namespace
}  // namespace genzo
