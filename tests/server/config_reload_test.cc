#include "server/config_reload.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(PlanReloadTest, TheSameChangesNothing) {
  EXPECT_THAT(PlanReload({}, {}, {}).not_applied, IsEmpty());
}

TEST(PlanReloadTest, LimitsBecomeStricterButNotLooserThanAtTheStart) {
  Config started;
  started.limits.max_steps = 50;
  Config wanted = started;
  wanted.log_level = "debug";
  wanted.limits.max_steps = 20;
  wanted.limits.max_prompt_bytes = 60'000;
  ReloadPlan plan = PlanReload(started, wanted, {});
  EXPECT_EQ(plan.log_level, "debug");
  EXPECT_EQ(plan.limits.max_steps, 20);
  EXPECT_EQ(plan.limits.max_prompt_bytes, 60'000);
  EXPECT_THAT(plan.not_applied, IsEmpty());
  wanted.limits.max_steps = 60;
  plan = PlanReload(started, wanted, {});
  EXPECT_EQ(plan.limits.max_steps, 50);
  EXPECT_THAT(plan.not_applied, ElementsAre("limits.max_steps"));
}

TEST(PlanReloadTest, ModelsComeAndChangeAndGo) {
  Config started;
  started.models = {{"same", "/a"}, {"moved", "/b"}, {"gone", "/c"}};
  started.default_model = "same";
  Config wanted = started;
  wanted.models = {{"moved", "/d"}, {"new", "/e"}, {"same", "/a"}};
  const ReloadPlan plan = PlanReload(started, wanted, {});
  EXPECT_THAT(plan.models, ElementsAre(wanted.models[0], wanted.models[1]));
  EXPECT_THAT(plan.gone, ElementsAre("gone"));
  EXPECT_THAT(plan.not_applied, IsEmpty());
}

TEST(PlanReloadTest, BrokenModelsAreTriedAgain) {
  Config config;
  config.models = {{"a", "/a"}, {"b", "/b"}};
  const ReloadPlan plan = PlanReload(config, config, {"b", "found"});
  ASSERT_EQ(plan.models.size(), 1u);
  EXPECT_EQ(plan.models[0].id, "b");
}

TEST(PlanReloadTest, TheDefaultModelStaysUntilAStart) {
  Config started;
  started.models = {{"a", "/a"}, {"b", "/b"}};
  started.default_model = "a";
  Config wanted;
  wanted.models = {{"b", "/b"}};
  wanted.default_model = "b";
  const ReloadPlan plan = PlanReload(started, wanted, {});
  EXPECT_THAT(plan.gone, IsEmpty());
  EXPECT_THAT(plan.not_applied, ElementsAre("models without a, the default one",
                                            "default_model"));
}

TEST(PlanReloadTest, NamesWhatNeedsAStart) {
  Config wanted;
  wanted.listen = "127.0.0.1:9";
  wanted.reflection = false;
  wanted.channelz = true;
  wanted.tls.cert_file = "/cert.pem";
  wanted.webhooks.hosts = {"a.org:443"};
  wanted.stall_after = absl::Seconds(9);
  EXPECT_THAT(PlanReload({}, wanted, {}).not_applied,
              ElementsAre("listen", "reflection", "channelz", "tls", "webhooks",
                          "stall_seconds"));
}

}  // namespace
}  // namespace genzo
