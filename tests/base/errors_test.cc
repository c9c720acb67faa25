#include "base/errors.h"

#include "google/rpc/error_details.pb.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

TEST(ErrorsTest, ListsEveryBadField) {
  const google::rpc::Status status = ToRpcStatus(
      InvalidFieldsError({{"width", "width 7 is odd"}, {"steps", "steps 0"}}));
  EXPECT_EQ(status.code(),
            static_cast<int>(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(status.message(), "width 7 is odd; steps 0");
  google::rpc::BadRequest bad_request;
  bool found = false;
  for (const auto& detail : status.details()) {
    found = found || detail.UnpackTo(&bad_request);
  }
  ASSERT_TRUE(found);
  ASSERT_EQ(bad_request.field_violations_size(), 2);
  EXPECT_EQ(bad_request.field_violations(1).field(), "steps");
}

TEST(ErrorsTest, EveryErrorHasErrorInfo) {
  for (const absl::Status& status :
       {InvalidFieldsError({{"a", "b"}}), ModelNotFoundError("x", {}),
        RetryLaterError("QUEUE_FULL", "full", absl::Seconds(1)),
        absl::InternalError("plain")}) {
    google::rpc::ErrorInfo info;
    int count = 0;
    const google::rpc::Status sent = ToRpcStatus(status);
    for (const auto& detail : sent.details()) {
      count += detail.UnpackTo(&info) ? 1 : 0;
    }
    EXPECT_EQ(count, 1) << status;
    EXPECT_EQ(info.domain(), "genzo");
    EXPECT_FALSE(info.reason().empty());
  }
}

TEST(ErrorsTest, SurvivesTheWire) {
  const absl::Status sent =
      RetryLaterError("QUEUE_FULL", "full", absl::Milliseconds(1500));
  const absl::Status received = FromRpcStatus(ToRpcStatus(sent));
  EXPECT_EQ(received, sent);
  EXPECT_EQ(ErrorReason(received), "QUEUE_FULL");
  EXPECT_EQ(RetryAfter(received), absl::Milliseconds(1500));
}

TEST(ErrorsTest, ListsKnownModels) {
  EXPECT_THAT(ModelNotFoundError("cat", {"dog", "fox"}),
              StatusIs(absl::StatusCode::kNotFound,
                       "model \"cat\" is not known; known models: dog, fox"));
}

TEST(ErrorsTest, CutsLongMessagesBetweenCharacters) {
  std::string text = "x";
  while (text.size() < 5000) text += "\u3042";
  const google::rpc::Status status = ToRpcStatus(absl::InternalError(text));
  EXPECT_LE(status.message().size(), 1030u);
  EXPECT_GT(status.message().size(), 1000u);
  // One byte, then characters of three, then three dots.
  EXPECT_EQ((status.message().size() - 1 - 3) % 3, 0u);
}

// Trailers over 8 KiB do not reach clients.
TEST(ErrorsTest, AllOfABadRequestFitsIntoTrailers) {
  std::vector<FieldViolation> many;
  for (int i = 0; i < 100; ++i) many.push_back({"a", std::string(900, 'b')});
  for (const auto& violations :
       {many, {{"a", std::string(1 << 20, 'b')}, {"c", "d"}}}) {
    const google::rpc::Status status =
        ToRpcStatus(InvalidFieldsError(violations));
    EXPECT_LE(status.ByteSizeLong(), 5000u);
    google::rpc::BadRequest told;
    for (const auto& detail : status.details()) {
      if (detail.UnpackTo(&told)) break;
    }
    EXPECT_GE(told.field_violations_size(), 1);
  }
}

TEST(WithReasonTest, KeepsTheReasonThatIsThere) {
  const absl::Status named = JobCancelledError();
  EXPECT_EQ(WithReason(named, "OTHER"), named);
  const absl::Status status = WithReason(absl::InternalError("no"), "OTHER");
  EXPECT_EQ(ErrorReason(status), "OTHER");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInternal, "no"));
}

}  // namespace
}  // namespace genzo
