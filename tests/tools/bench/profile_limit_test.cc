#include "tools/bench/profile_limit.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

constexpr char kPage[] = R"(# TYPE genzo_profile_step_seconds gauge
genzo_profile_step_seconds{model="a",rows="1"} 0.006
genzo_profile_step_seconds{model="a",rows="2"} 0.01
genzo_profile_step_seconds{model="a",rows="8"} 0.032
genzo_profile_step_seconds{model="b",rows="1"} 7
)";

RequestKind Kind(uint32_t side, uint32_t steps, double guidance) {
  RequestKind kind;
  kind.request.set_width(side);
  kind.request.set_height(side);
  kind.request.set_steps(steps);
  kind.request.set_guidance_scale(guidance);
  return kind;
}

TEST(ProfileLimitTest, ReadsTheProfileOfOneModel) {
  EXPECT_THAT(ReadProfile(kPage, "a"),
              ElementsAre(Pair(1, 0.006), Pair(2, 0.01), Pair(8, 0.032)));
  EXPECT_THAT(ReadProfile(kPage, "c"), ElementsAre());
}

TEST(ProfileLimitTest, RowsInCompanyCostWhatTheCheapestDo) {
  const RowSeconds profile = ReadProfile(kPage, "a");
  EXPECT_THAT(GainOfSharing(profile, {Kind(64, 20, 7.5)}),
              Optional(DoubleNear(0.005 / 0.004, 1e-9)));
  EXPECT_THAT(GainOfSharing(profile, {Kind(64, 20, 1)}),
              Optional(DoubleNear(0.006 / 0.004, 1e-9)));
}

TEST(ProfileLimitTest, KindsCountByTheirWork) {
  // Four times the area, half the steps: twice the work.
  EXPECT_THAT(GainOfSharing(ReadProfile(kPage, "a"),
                            {Kind(64, 20, 1), Kind(128, 10, 7.5)}),
              Optional(DoubleNear((0.006 + 2 * 0.01) / (5 * 0.004), 1e-9)));
}

TEST(ProfileLimitTest, NothingIsSaidWithoutAProfile) {
  EXPECT_EQ(GainOfSharing({}, {Kind(64, 20, 1)}), std::nullopt);
  EXPECT_EQ(GainOfSharing({{8, 0.1}}, {Kind(64, 20, 1)}), std::nullopt);
  EXPECT_EQ(GainOfSharing({{1, 0.1}}, {}), std::nullopt);
}

}  // namespace
}  // namespace genzo
