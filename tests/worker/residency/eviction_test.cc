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

TEST(EvictionTest, LeavesAllWhereThereIsRoom) {
  EXPECT_THAT(*ChooseEvictions("x", {kOld, kNew}, 30, 100), IsEmpty());
}

TEST(EvictionTest, TheLeastRecentlyUsedLeavesFirst) {
  EXPECT_THAT(*ChooseEvictions("x", {kNew, kOld}, 31, 100), ElementsAre("old"));
  EXPECT_THAT(*ChooseEvictions("x", {kNew, kOld}, 71, 100),
              ElementsAre("old", "new"));
}

TEST(EvictionTest, ThePinnedStay) {
  EXPECT_THAT(*ChooseEvictions("x", {kPinned, kNew}, 80, 100),
              ElementsAre("new"));
}

TEST(EvictionTest, SaysWhatDoesNotFit) {
  const absl::Status status =
      ChooseEvictions("x", {kPinned, kNew}, 81, 100).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               "model x needs 81 bytes, the budget is 100, of "
                               "which pinned models hold: pinned (20)"));
  EXPECT_EQ(ErrorReason(status), "DOES_NOT_FIT");
}

TEST(EvictionTest, SaysSoIfItAloneIsTooMuch) {
  EXPECT_THAT(ChooseEvictions("x", {kNew}, 101, 100).status(),
              StatusIs(absl::StatusCode::kResourceExhausted,
                       "model x needs 101 bytes, the budget is 100"));
}

TEST(EvictionTest, TheIdleLeaveFirstAndSpareThoseInUse) {
  const std::vector<Resident> residents = {
      {.id = "a", .bytes = 20, .last_used = 1},
      {.id = "b", .bytes = 30, .in_use = true, .last_used = 2},
      {.id = "c", .bytes = 40, .last_used = 3}};
  EXPECT_THAT(*ChooseEvictions("x", residents, 70, 100), ElementsAre("a", "c"));
  EXPECT_THAT(*ChooseEvictions("x", residents, 71, 100), ElementsAre("c", "b"))
      << "a is no longer needed";
}

TEST(EvictionTest, NoMoreLeaveThanItTakes) {
  const Resident large = {.id = "large", .bytes = 60, .last_used = 9};
  EXPECT_THAT(*ChooseEvictions("x", {kNew, large}, 70, 100),
              ElementsAre("large"));
}

ModelBytes Sharing(int64_t all, int64_t encoder) {
  ModelBytes bytes = all;
  bytes.shared["encoder"] = encoder;
  return bytes;
}

TEST(EvictionTest, WhatIsHeldTogetherCountsOnce) {
  const std::vector<Resident> residents = {
      {.id = "a", .bytes = Sharing(50, 20), .last_used = 1},
      {.id = "b", .bytes = Sharing(40, 20), .last_used = 2}};  // 70 together
  EXPECT_THAT(*ChooseEvictions("x", residents, 30, 100), IsEmpty());
  EXPECT_THAT(*ChooseEvictions("x", residents, Sharing(50, 20), 100),
              IsEmpty());
  EXPECT_THAT(*ChooseEvictions("x", residents, Sharing(51, 20), 100),
              ElementsAre("a"));
}

TEST(EvictionTest, WhatOthersHoldDoesNotLeaveWithAModel) {
  const std::vector<Resident> residents = {
      {.id = "a", .bytes = Sharing(25, 20), .last_used = 1},
      {.id = "b", .bytes = Sharing(40, 20), .last_used = 2},
      {.id = "c", .bytes = 10, .last_used = 3}};  // 55 together
  EXPECT_THAT(*ChooseEvictions("x", residents, 50, 100), ElementsAre("a"));
  EXPECT_THAT(*ChooseEvictions("x", residents, 51, 100), ElementsAre("b"))
      << "without a only 5 are free";
}

TEST(EvictionTest, PinnedOnesHoldForOthersToo) {
  const Resident pinned = {
      .id = "pinned", .bytes = Sharing(60, 50), .pinned = true};
  EXPECT_THAT(*ChooseEvictions("x", {pinned}, Sharing(90, 50), 100), IsEmpty());
  EXPECT_EQ(ErrorReason(ChooseEvictions("x", {pinned}, 90, 100).status()),
            "DOES_NOT_FIT");
}

TEST(EvictionTest, WhatIsOnlyComingStays) {
  const Resident coming = {
      .id = "coming", .bytes = 60, .stays = true, .last_used = 0};
  EXPECT_THAT(*ChooseEvictions("x", {kNew, coming}, 50, 100),
              ElementsAre("new"));
}

}  // namespace
}  // namespace genzo
