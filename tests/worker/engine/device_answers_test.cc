#include "worker/engine/device_answers.h"

#include <vector>

#include "base/errors.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

// Reasons of what was answered to so many devices' words, "" for OK.
std::vector<std::string> Answers(const std::vector<absl::Status>& told) {
  std::vector<std::string> reasons;
  DeviceAnswers answers(told.size(), [&reasons](const absl::Status& said) {
    reasons.push_back(ErrorReason(said));
  });
  for (const absl::Status& status : told) answers.Tell(status);
  return reasons;
}

const absl::Status kOut =
    ErrorWithReason(absl::StatusCode::kUnavailable, kDeviceOut, "it is out");
const absl::Status kFailed = ErrorWithReason(
    absl::StatusCode::kFailedPrecondition, "MODEL_FAILED", "torn");
using Reasons = std::vector<std::string>;

TEST(DeviceAnswersTest, AnswersOnceWithWhatWentWrong) {
  EXPECT_EQ(Answers({absl::OkStatus(), absl::OkStatus()}), Reasons({""}));
  EXPECT_EQ(Answers({absl::OkStatus(), kFailed}), Reasons({"MODEL_FAILED"}));
}

TEST(DeviceAnswersTest, ADeviceThatIsOutHasNoSay) {
  EXPECT_EQ(Answers({kOut, absl::OkStatus()}), Reasons({""}));
  EXPECT_EQ(Answers({absl::OkStatus(), kOut}), Reasons({""}));
  EXPECT_EQ(Answers({kOut, kFailed}), Reasons({"MODEL_FAILED"}));
}

TEST(DeviceAnswersTest, WhereAllAreOutThatIsTold) {
  EXPECT_EQ(Answers({kOut, kOut}), Reasons({"DEVICE_OUT"}));
}

}  // namespace
}  // namespace genzo
