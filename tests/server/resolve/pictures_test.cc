#include "server/resolve/pictures.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

class ResolvePicturesTest : public ::testing::Test {
 protected:
  ResolvePicturesTest() {
    model_.set_id("tiny");
    model_.add_tasks(v1::TASK_TEXT_TO_IMAGE);
    model_.mutable_limits()->set_max_image_count(8);
    request_.set_image_count(2);
  }

  absl::Status Resolve() {
    Violations violations;
    ResolvePictures(model_, rules_, request_, violations);
    return violations.status();
  }

  v1::Model model_;
  PictureRules rules_;
  v1::GenerateRequest request_;
};

TEST_F(ResolvePicturesTest, FillsInWhatTheServerDoes) {
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_EQ(request_.safety_policy(), v1::SAFETY_POLICY_OFF);
  EXPECT_TRUE(request_.output().mark_provenance());
  EXPECT_FALSE(request_.output().watermark());
  request_.clear_output();
  rules_.provenance.watermark = true;
  ASSERT_THAT(Resolve(), IsOk());
  EXPECT_TRUE(request_.output().watermark());
}

TEST_F(ResolvePicturesTest, OfTwoPoliciesTheStricterStays) {
  model_.add_request_fields("safety_policy");
  const auto resolved = [&](v1::SafetyPolicy server, v1::SafetyPolicy request) {
    rules_.safety.policy = server;
    request_.set_safety_policy(request);
    EXPECT_THAT(Resolve(), IsOk());
    return request_.safety_policy();
  };
  EXPECT_EQ(resolved(v1::SAFETY_POLICY_BLUR, v1::SAFETY_POLICY_OFF),
            v1::SAFETY_POLICY_BLUR);
  EXPECT_EQ(resolved(v1::SAFETY_POLICY_MARK, v1::SAFETY_POLICY_REFUSE),
            v1::SAFETY_POLICY_REFUSE);
  EXPECT_EQ(resolved(v1::SAFETY_POLICY_REFUSE, v1::SAFETY_POLICY_UNSPECIFIED),
            v1::SAFETY_POLICY_REFUSE);
}

TEST_F(ResolvePicturesTest, APolicyNeedsAChecker) {
  request_.set_safety_policy(v1::SAFETY_POLICY_MARK);
  EXPECT_THAT(Resolve(),
              StatusIs(kInvalid, "model \"tiny\" has no safety checker"));
  rules_.safety.checker = "/checker";
  EXPECT_THAT(Resolve(), IsOk());
  rules_.safety = {.policy = v1::SAFETY_POLICY_REFUSE};
  request_.clear_safety_policy();
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "at least the server's"));
  request_.set_safety_policy(static_cast<v1::SafetyPolicy>(77));
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "safety_policy 77"));
}

TEST_F(ResolvePicturesTest, MarksGoOnlyWhereTheServerAllowsIt) {
  request_.mutable_output()->set_mark_provenance(false);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "output.mark_provenance false"));
  rules_.provenance = {.watermark = true, .may_be_left_out = true};
  request_.mutable_output()->set_watermark(false);
  EXPECT_THAT(Resolve(), IsOk());
  rules_.provenance.may_be_left_out = false;
  request_.mutable_output()->set_mark_provenance(true);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "output.watermark false"));
}

TEST_F(ResolvePicturesTest, BestOfDrawsAtLeastWhatIsSent) {
  model_.add_request_fields("best_of");
  request_.mutable_best_of()->set_draw(8);
  EXPECT_THAT(Resolve(), IsOk());
  request_.mutable_best_of()->set_draw(1);
  EXPECT_THAT(Resolve(),
              StatusIs(kInvalid, "best_of.draw 1 is not between 2 and 8"));
  request_.mutable_best_of()->set_draw(9);
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "best_of.draw 9"));
}

TEST_F(ResolvePicturesTest, BestOfNeedsAScorer) {
  request_.mutable_best_of()->set_draw(4);
  rules_.scorers = {"clip"};
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "one of the server's: clip"));
  request_.mutable_best_of()->set_scorer("clip");
  EXPECT_THAT(Resolve(), IsOk());
  request_.mutable_best_of()->set_scorer("other");
  EXPECT_THAT(Resolve(), StatusIs(kInvalid, "best_of.scorer \"other\""));
}

}  // namespace
}  // namespace genzo
