#include "queue/admission.h"

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AdmissionTest, WhoeverComesFirstMayFillThePlaces) {
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}}, 4), IsEmpty());
  EXPECT_THAT(TenantsWithEnough({{"flood", 4}}, 4), ElementsAre("flood"));
  EXPECT_EQ(PlacesShort({{"flood", 3}}, 4, "flood"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}}, 4, "flood"), 1u);
}

TEST(AdmissionTest, WhenTheyAreFullOthersStillGetTheirShare) {
  EXPECT_EQ(PlacesShort({{"flood", 4}}, 4, "light"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 1}}, 4, "light"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 2}}, 4, "light"), 3u);
  // The others' places beyond the limit are gone before a flood gets one.
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 2}}, 4, "flood"), 3u);
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}, {"light", 1}}, 4),
              ElementsAre("flood"));
}

TEST(AdmissionTest, NobodyGetsMoreThanTwiceThePlaces) {
  const TenantCounts counts = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
  EXPECT_EQ(PlacesShort({{"a", 2}, {"b", 1}}, 2, "new"), 0u);
  EXPECT_EQ(PlacesShort(counts, 2, "new"), 1u);
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
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kResourceExhausted,
                               "would take 9.0 s, its deadline is in 5.0 s"));
  EXPECT_EQ(ErrorReason(status), "DEADLINE_UNREACHABLE");
  EXPECT_EQ(RetryAfter(status), absl::Seconds(4));
}

TEST(AdmissionTest, WhatIsLateEvenAloneNeedNotComeAgain) {
  AdmissionFacts facts = Facts();
  facts.predicted = absl::Seconds(9);
  facts.alone = absl::Seconds(6);
  facts.time_to_deadline = absl::Seconds(5);
  const absl::Status status = Admit(facts);
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               "would take 6.0 s on an idle server"));
  EXPECT_EQ(ErrorReason(status), "DEADLINE_UNREACHABLE");
  EXPECT_EQ(RetryAfter(status), absl::ZeroDuration());
}

}  // namespace
}  // namespace genzo
