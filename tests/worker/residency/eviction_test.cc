#include "worker/residency/eviction.h"

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const Resident kOld = {
    .id = "old", .bytes = 40, .pinned = false, .last_used = 1};
const Resident kNew = {
    .id = "new", .bytes = 30, .pinned = false, .last_used = 2};
const Resident kPinned = {
    .id = "pinned", .bytes = 20, .pinned = true, .last_used = 0};

TEST(ResidencyTest, LeavesAllWhereThereIsRoom) {
  EXPECT_THAT(*ChooseEvictions("x", {kOld, kNew}, 30, 100), IsEmpty());
}

TEST(ResidencyTest, TheLeastRecentlyUsedLeavesFirst) {
  EXPECT_THAT(*ChooseEvictions("x", {kNew, kOld}, 31, 100), ElementsAre("old"));
  EXPECT_THAT(*ChooseEvictions("x", {kNew, kOld}, 71, 100),
              ElementsAre("old", "new"));
}

TEST(ResidencyTest, ThePinnedStay) {
  EXPECT_THAT(*ChooseEvictions("x", {kPinned, kNew}, 80, 100),
              ElementsAre("new"));
}

TEST(ResidencyTest, SaysWhatDoesNotFit) {
  const absl::Status status =
      ChooseEvictions("x", {kPinned, kNew}, 81, 100).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               "model x needs 81 bytes, pinned models have 20, "
                               "the budget is 100"));
  EXPECT_EQ(ErrorReason(status), "DOES_NOT_FIT");
}

}  // namespace
}  // namespace genzo
