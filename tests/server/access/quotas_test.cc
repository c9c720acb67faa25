#include "server/access/quotas.h"

#include "base/errors.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class QuotasTest : public ::testing::Test {
 protected:
  absl::Status Begin(const std::string& job, double cost) {
    return quotas_.Begin(job, cost, std::make_shared<const Grant>(grant_));
  }

  FakeClock clock_;
  Quotas quotas_{clock_};
  Grant grant_ = {.key_id = "k"};
};

TEST(GrantLimitsTest, AModelHasThoseThatAreLower) {
  v1::Model model;
  LowerLimits(Grant{.max_pixels = 100, .max_steps = 5}, model);
  EXPECT_FALSE(model.has_limits()) << "of one that could not be read";
  model.mutable_limits()->set_max_steps(50);
  LowerLimits(Grant{}, model);
  EXPECT_EQ(model.limits().max_steps(), 50u);
  EXPECT_EQ(model.limits().max_pixels(), 0u);
  LowerLimits(Grant{.max_pixels = 4096, .max_steps = 60}, model);
  EXPECT_EQ(model.limits().max_steps(), 50u);
  EXPECT_EQ(model.limits().max_pixels(), 4096u) << "where only sides were";
  LowerLimits(Grant{.max_pixels = 8192, .max_steps = 20}, model);
  EXPECT_EQ(model.limits().max_steps(), 20u);
  EXPECT_EQ(model.limits().max_pixels(), 4096u);
}

TEST_F(QuotasTest, UnitsComeBackWithTime) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 6), IsOk());
  EXPECT_THAT(Begin("b", 4), IsOk());
  const absl::Status refused = Begin("c", 5);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "cost_per_minute"));
  EXPECT_EQ(ErrorReason(refused), "QUOTA_EXCEEDED");
  EXPECT_EQ(RetryAfter(refused), absl::Seconds(5));
  clock_.Advance(absl::Seconds(5) - absl::Milliseconds(1));
  EXPECT_FALSE(Begin("c", 5).ok());
  clock_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(Begin("c", 5), IsOk());
}

TEST_F(QuotasTest, ADateThatJumpsGivesAndTakesNothing) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 10), IsOk());
  clock_.SetDateForward(absl::Hours(30));
  EXPECT_EQ(RetryAfter(Begin("b", 5)), absl::Seconds(5));
  clock_.SetDateForward(-absl::Hours(90));
  EXPECT_EQ(RetryAfter(Begin("b", 5)), absl::Seconds(5));
}

// A token's subject may be anybody.
TEST_F(QuotasTest, ForgetsKeysThatOweNothing) {
  grant_.cost_per_minute = 60;
  for (int i = 0; i < 5000; ++i) {
    grant_.key_id = std::to_string(i);
    const std::string job = std::to_string(i);
    ASSERT_THAT(Begin(job, 1), IsOk());
    if (i != 7) quotas_.Ended(job);
    clock_.Advance(absl::Seconds(1));
  }
  EXPECT_LT(quotas_.keys(), 1100u);
  grant_.key_id = "7";
  grant_.max_jobs = 1;
  EXPECT_FALSE(Begin("more", 1).ok()) << "it has a job";
}

TEST_F(QuotasTest, ABurstIsNoMoreThanItself) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 1), IsOk());
  clock_.Advance(absl::Hours(10));
  EXPECT_THAT(Begin("b", 10), IsOk());
  EXPECT_FALSE(Begin("c", 0.5).ok());
}

TEST_F(QuotasTest, AJobThatCostsMoreThanABurstLeavesADebt) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 40), IsOk());
  EXPECT_EQ(RetryAfter(Begin("b", 40)), absl::Seconds(40));
  EXPECT_EQ(RetryAfter(Begin("b", 1)), absl::Seconds(31));
  clock_.Advance(absl::Seconds(40));
  EXPECT_THAT(Begin("b", 40), IsOk());
}

TEST_F(QuotasTest, WhatWasNotQueuedIsGivenBack) {
  grant_.cost_per_minute = 60;
  grant_.max_jobs = 1;
  EXPECT_THAT(Begin("a", 60), IsOk());
  quotas_.TakeBack("a");
  EXPECT_THAT(Begin("b", 60), IsOk());
  quotas_.Ended("b");
  EXPECT_FALSE(Begin("c", 60).ok());
}

TEST_F(QuotasTest, WhatWasNotDoneIsGivenBack) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 60;
  EXPECT_THAT(Begin("a", 60), IsOk());
  quotas_.Ended("a", /*left=*/0.5);
  quotas_.Ended("a", /*left=*/1);  // it is not there any more
  EXPECT_EQ(RetryAfter(Begin("b", 31)), absl::Seconds(1));
  EXPECT_THAT(Begin("b", 30), IsOk());
}

TEST_F(QuotasTest, WhatIsGivenBackLateMakesNoMoreThanABurst) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 10), IsOk());
  clock_.Advance(absl::Hours(1));
  quotas_.Ended("a", /*left=*/1);
  EXPECT_THAT(Begin("b", 10), IsOk());
  EXPECT_EQ(RetryAfter(Begin("c", 10)), absl::Seconds(10));
}

TEST_F(QuotasTest, WhatIsGivenBackPaysADebt) {
  grant_.cost_per_minute = 60;
  grant_.burst_cost = 10;
  EXPECT_THAT(Begin("a", 100), IsOk());
  quotas_.Ended("a", /*left=*/1);
  EXPECT_THAT(Begin("b", 10), IsOk());
}

TEST(ShareLeftTest, IsOfStepsUnlessTheJobSucceeded) {
  v1::Job job;
  job.set_steps_total(300);
  for (const auto state :
       {v1::JOB_STATE_CANCELLED, v1::JOB_STATE_FAILED, v1::JOB_STATE_EXPIRED}) {
    job.set_state(state);
    job.set_steps_done(0);
    EXPECT_EQ(ShareLeft(job), 1);
    job.set_steps_done(225);
    EXPECT_EQ(ShareLeft(job), 0.25);
    job.set_steps_done(301);
    EXPECT_EQ(ShareLeft(job), 0) << "some were walked again";
  }
  // Some samplers walk fewer steps than they were asked for.
  job.set_state(v1::JOB_STATE_SUCCEEDED);
  job.set_steps_done(10);
  EXPECT_EQ(ShareLeft(job), 0);
}

TEST_F(QuotasTest, CountsJobsThatLiveAndJobsThatWait) {
  grant_.max_jobs = 3;
  grant_.max_queued_jobs = 2;
  EXPECT_THAT(Begin("a", 1), IsOk());
  EXPECT_THAT(Begin("b", 1), IsOk());
  const absl::Status full = Begin("c", 1);
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted,
                             "2 jobs waiting, its limit (max_queued_jobs)"));
  EXPECT_GT(RetryAfter(full), absl::ZeroDuration());
  quotas_.Runs("a");
  quotas_.Runs("a");
  EXPECT_THAT(Begin("c", 1), IsOk());
  quotas_.Runs("b");
  const absl::Status refused = Begin("d", 1);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kResourceExhausted,
                                "3 jobs, its limit (max_jobs)"));
  EXPECT_GT(RetryAfter(refused), absl::ZeroDuration());
  quotas_.Ended("a");
  quotas_.Ended("a");
  EXPECT_THAT(Begin("d", 1), IsOk());
  EXPECT_FALSE(Begin("e", 1).ok());
}

TEST_F(QuotasTest, KeysDoNotShare) {
  grant_.max_jobs = 1;
  EXPECT_THAT(Begin("a", 1), IsOk());
  grant_.key_id = "another";
  EXPECT_THAT(Begin("b", 1), IsOk());
}

TEST(CheckGrantLimitsTest, NamesWhatIsTooMuch) {
  v1::GenerateRequest request;
  request.set_model("emaki");
  request.set_width(512);
  request.set_height(512);
  request.set_steps(20);
  Grant grant;
  EXPECT_THAT(CheckGrantLimits(grant, request), IsOk());
  grant.models = {"emaki"};
  grant.max_pixels = 512 * 512;
  grant.max_steps = 20;
  EXPECT_THAT(CheckGrantLimits(grant, request), IsOk());
  request.set_width(520);
  request.set_steps(21);
  EXPECT_THAT(CheckGrantLimits(grant, request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "the picture has 266240 pixels, the key's limit is "
                       "262144; steps 21 is over the key's limit, 20"));
  request.set_width(512);
  request.set_steps(20);
  request.mutable_image_to_image()->mutable_inversion()->set_steps(30);
  EXPECT_THAT(CheckGrantLimits(grant, request),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "image_to_image.inversion.steps 30 is over the key's"));
  request.set_model("other");
  EXPECT_EQ(ErrorReason(CheckGrantLimits(grant, request)), "MODEL_NOT_ALLOWED");
}

}  // namespace
}  // namespace genzo
