#include "base/errors.h"
#include "base/utf8.h"
#include "google/rpc/error_details.pb.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

// The detail of that type in a status as sent.
template <typename Detail>
Detail DetailOf(const absl::Status& status) {
  Detail detail;
  const google::rpc::Status sent = ToRpcStatus(status);
  for (const auto& any : sent.details()) {
    if (any.UnpackTo(&detail)) return detail;
  }
  ADD_FAILURE() << "no " << Detail::descriptor()->full_name();
  return detail;
}

TEST(ErrorDetailsTest, SixteenBadFieldsAreTold) {
  std::vector<FieldViolation> violations(40, {"f", "f is bad"});
  const auto bad =
      DetailOf<google::rpc::BadRequest>(InvalidFieldsError(violations));
  EXPECT_EQ(bad.field_violations_size(), 16);
}

TEST(ErrorDetailsTest, AQuotaTellsWhoseAndWhen) {
  const absl::Status status =
      QuotaError("max_jobs", "4", "00ff", "4 jobs wait", absl::Seconds(9));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               "4 jobs wait (max_jobs)"));
  EXPECT_EQ(RetryAfter(status), absl::Seconds(9));
  const auto info = DetailOf<google::rpc::ErrorInfo>(status);
  EXPECT_EQ(info.metadata().at("limit"), "4");
  EXPECT_EQ(info.metadata().at("key"), "00ff");
  const auto failure = DetailOf<google::rpc::QuotaFailure>(status);
  EXPECT_EQ(failure.violations(0).subject(), "key:00ff");
}

TEST(ErrorDetailsTest, AnIdInUseNamesItsField) {
  const absl::Status status = RequestIdInUseError("4f2a");
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAlreadyExists,
                               "request_id 4f2a was used for another"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).metadata().at("field"),
            "request_id");
}

TEST(ErrorDetailsTest, AModelThatIsNotKnownIsAResource) {
  const auto resource =
      DetailOf<google::rpc::ResourceInfo>(ModelNotFoundError("cat", {}));
  EXPECT_EQ(resource.resource_name(), "cat");
  EXPECT_THAT(ModelNotFoundError("cat", {}),
              StatusIs(absl::StatusCode::kNotFound, "\"cat\" is not known"));
}

TEST(ErrorDetailsTest, AFileThatCannotBeReadIsAViolationOfItsField) {
  const absl::Status bad =
      FaultOfField("mask.data", absl::InvalidArgumentError("no picture"));
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(bad).field_violations(0).field(),
            "mask.data");
  EXPECT_THAT(bad, StatusIs(absl::StatusCode::kInvalidArgument,
                            "mask.data: no picture"));
  const absl::Status memory = absl::ResourceExhaustedError("no memory");
  EXPECT_EQ(FaultOfField("mask.data", memory), memory);
}

TEST(ErrorDetailsTest, OkHasNoDetails) {
  const google::rpc::Status sent = ToRpcStatus(absl::OkStatus());
  EXPECT_EQ(sent.code(), 0);
  EXPECT_EQ(sent.details_size(), 0);
  EXPECT_THAT(FromRpcStatus(sent), IsOk());
}

TEST(ErrorDetailsTest, ACodeOfALaterVersionIsUnknown) {
  google::rpc::Status sent;
  sent.set_code(77);
  sent.set_message("later");
  EXPECT_THAT(FromRpcStatus(sent),
              StatusIs(absl::StatusCode::kUnknown, "later"));
}

TEST(ErrorDetailsTest, BytesThatAreNoTextAreReplaced) {
  const google::rpc::Status sent =
      ToRpcStatus(absl::InternalError("cannot read \xff\xfe"));
  EXPECT_TRUE(IsUtf8(sent.message()));
  EXPECT_EQ(sent.message(), "cannot read \uFFFD\uFFFD");
}

TEST(ErrorDetailsTest, AMessageOfTheLongestLengthIsWhole) {
  const std::string text(1024, 'x');
  EXPECT_EQ(ToRpcStatus(absl::InternalError(text)).message(), text);
  EXPECT_EQ(ToRpcStatus(absl::InternalError(text + "y")).message(),
            text + "...");
}

TEST(ErrorDetailsTest, WhereNobodySaysWhenToComeBackItIsNow) {
  EXPECT_EQ(RetryAfter(absl::UnavailableError("x")), absl::ZeroDuration());
  EXPECT_EQ(ErrorReason(absl::UnavailableError("x")), "");
}

TEST(ErrorDetailsTest, AReasonMayBeRetriedUnderAnotherCode) {
  const absl::Status status =
      RetryLaterError("DEVICE_LOST", "gone", absl::Seconds(1),
                      {{"device", "0"}}, absl::StatusCode::kAborted);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).metadata().at("device"),
            "0");
}

TEST(ErrorDetailsTest, APlainErrorIsNamedByItsCode) {
  EXPECT_EQ(ErrorReason(FromRpcStatus(ToRpcStatus(absl::DataLossError("x")))),
            "DATA_LOSS");
}

}  // namespace
}  // namespace genzo
