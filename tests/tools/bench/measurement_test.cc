#include "tools/bench/measurement.h"

#include "base/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using absl::Seconds;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

v1::JobEvent Progress(uint32_t step, uint32_t rows = 0) {
  v1::JobEvent event;
  event.mutable_progress()->set_step(step);
  event.mutable_progress()->set_batch_rows(rows);
  return event;
}

v1::JobEvent Image(const std::string& data) {
  v1::JobEvent event;
  event.mutable_image()->mutable_picture()->set_data(data);
  return event;
}

grpc::Status Refusal(const std::string& reason) {
  const google::rpc::Status details =
      ToRpcStatus(RetryLaterError(reason, "later", Seconds(1)));
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "later",
                      details.SerializeAsString());
}

std::string OutcomeAfter(Measurement measurement, const grpc::Status& status) {
  measurement.NoteEnd(status, Seconds(1));
  return measurement.outcome();
}

TEST(MeasurementTest, KeepsTheFirstOfEachEvent) {
  Measurement measurement;
  v1::JobEvent preview;
  preview.mutable_preview();
  measurement.Note(Progress(1), Seconds(1), /*keep_picture=*/false);
  measurement.Note(preview, Seconds(2), /*keep_picture=*/false);
  measurement.Note(Progress(2), Seconds(3), /*keep_picture=*/false);
  measurement.Note(preview, Seconds(4), /*keep_picture=*/false);
  EXPECT_THAT(measurement.first_step, Optional(Seconds(1)));
  EXPECT_THAT(measurement.first_preview, Optional(Seconds(2)));
}

TEST(MeasurementTest, CountsStepsByRows) {
  Measurement measurement;
  for (uint32_t rows : {2, 4, 4}) {
    measurement.Note(Progress(1, rows), Seconds(1), /*keep_picture=*/false);
  }
  EXPECT_THAT(measurement.batch_rows, ElementsAre(Pair(2, 1), Pair(4, 2)));
}

TEST(MeasurementTest, HasNoRowsOrPredictionsOfAServerThatTellsNone) {
  Measurement measurement;
  v1::JobEvent queued;
  queued.mutable_queued()->set_position(3);
  measurement.Note(queued, Seconds(1), /*keep_picture=*/false);
  measurement.Note(Progress(1), Seconds(1), /*keep_picture=*/false);
  EXPECT_TRUE(measurement.batch_rows.empty());
  EXPECT_FALSE(measurement.queued_prediction.has_value());
  EXPECT_FALSE(measurement.step_prediction.has_value());
}

TEST(MeasurementTest, KeepsTheFirstPredictionOfEachStage) {
  Measurement measurement;
  v1::JobEvent queued;
  queued.mutable_queued()->mutable_time_left()->set_seconds(9);
  measurement.Note(queued, Seconds(1), /*keep_picture=*/false);
  queued.mutable_queued()->mutable_time_left()->set_seconds(5);
  measurement.Note(queued, Seconds(2), /*keep_picture=*/false);
  v1::JobEvent progress = Progress(1);
  progress.mutable_progress()->mutable_time_left()->set_nanos(500'000'000);
  measurement.Note(progress, Seconds(3), /*keep_picture=*/false);
  ASSERT_TRUE(measurement.queued_prediction.has_value());
  EXPECT_EQ(measurement.queued_prediction->at, Seconds(1));
  EXPECT_EQ(measurement.queued_prediction->left, Seconds(9));
  ASSERT_TRUE(measurement.step_prediction.has_value());
  EXPECT_EQ(measurement.step_prediction->left, Seconds(0.5));
}

TEST(MeasurementTest, KeepsThePictureOnlyIfAsked) {
  Measurement measurement;
  measurement.Note(Image("png"), Seconds(1), /*keep_picture=*/false);
  EXPECT_EQ(measurement.pictures, 1);
  EXPECT_EQ(measurement.picture, "");
  measurement.Note(Image("png"), Seconds(1), /*keep_picture=*/true);
  EXPECT_EQ(measurement.picture, "png");
}

TEST(MeasurementTest, NamesEveryOutcome) {
  const grpc::Status cancelled(grpc::StatusCode::CANCELLED, "");
  const grpc::Status late(grpc::StatusCode::DEADLINE_EXCEEDED, "");
  const grpc::Status broken(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  EXPECT_EQ(OutcomeAfter({.pictures = 1}, grpc::Status::OK), "OK");
  EXPECT_EQ(OutcomeAfter({}, grpc::Status::OK), "LOST");
  EXPECT_EQ(OutcomeAfter({}, Refusal("QUEUE_FULL")), "QUEUE_FULL");
  EXPECT_EQ(OutcomeAfter({}, Refusal("DEADLINE_UNREACHABLE")),
            "DEADLINE_UNREACHABLE");
  EXPECT_EQ(OutcomeAfter({}, late), "DEADLINE_EXCEEDED");
  EXPECT_EQ(OutcomeAfter({.cancelled = true}, cancelled), "CANCELLED");
  EXPECT_EQ(OutcomeAfter({.hung = true}, cancelled), "HUNG");
  EXPECT_EQ(OutcomeAfter({}, broken), "SERVER_GONE");
}

TEST(MeasurementTest, AFullServerIsNotGone) {
  Measurement measurement;
  measurement.NoteEnd(Refusal("QUEUE_FULL"), Seconds(1));
  EXPECT_FALSE(measurement.server_gone);
}

TEST(MeasurementTest, ACallThatFinishedWhileItWasCancelledSucceeded) {
  EXPECT_EQ(OutcomeAfter({.pictures = 1, .cancelled = true}, grpc::Status::OK),
            "OK");
}

}  // namespace
}  // namespace genzo
