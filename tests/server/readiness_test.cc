#include "server/readiness.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ReadinessTest : public ::testing::Test {
 protected:
  std::vector<bool> told_;
  Readiness readiness_{[this](bool serving) { told_.push_back(serving); }};
};

TEST_F(ReadinessTest, ServesOnceAModelIsThere) {
  EXPECT_THAT(told_, IsEmpty());
  readiness_.ModelLoaded();
  readiness_.ModelLoaded();
  EXPECT_THAT(told_, ElementsAre(true));
}

TEST_F(ReadinessTest, SaysWhyItDoesNotServe) {
  EXPECT_THAT(readiness_.WhyNot(), ::testing::HasSubstr("no model"));
  readiness_.NoModel("model a: no weights");
  EXPECT_EQ(readiness_.WhyNot(), "model a: no weights");
  EXPECT_FALSE(readiness_.started());
  readiness_.ModelLoaded();
  EXPECT_EQ(readiness_.WhyNot(), "");
  readiness_.Stalled("no step for 9 s");
  EXPECT_EQ(readiness_.WhyNot(), "no step for 9 s");
  readiness_.Stalled("no step for 10 s");
  EXPECT_EQ(readiness_.WhyNot(), "no step for 10 s");
  readiness_.Stalled("");
  EXPECT_EQ(readiness_.WhyNot(), "");
  readiness_.DevicesOut("cuda:0, cuda:1");
  EXPECT_EQ(readiness_.WhyNot(),
            "no device works: cuda:0, cuda:1 failed every evaluation");
  readiness_.Draining();
  EXPECT_THAT(readiness_.WhyNot(), ::testing::HasSubstr("shutting down"));
  EXPECT_THAT(told_, ElementsAre(true, false, true, false));
  EXPECT_TRUE(readiness_.started());
}

TEST_F(ReadinessTest, DevicesAloneDoNotServe) {
  readiness_.DevicesOut("");
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(ReadinessTest, DoesNotServeWithoutADevice) {
  readiness_.ModelLoaded();
  readiness_.DevicesOut("");
  EXPECT_THAT(told_, ElementsAre(true));
  readiness_.DevicesOut("cpu:0");
  EXPECT_THAT(told_, ElementsAre(true, false));
  readiness_.DevicesOut("");
  EXPECT_THAT(told_, ElementsAre(true, false, true));
}

TEST_F(ReadinessTest, DrainsForGood) {
  readiness_.ModelLoaded();
  readiness_.Draining();
  readiness_.ModelLoaded();
  readiness_.DevicesOut("");
  EXPECT_THAT(told_, ElementsAre(true, false));
}

TEST_F(ReadinessTest, NeverServesIfItDrainsWhileItLoads) {
  readiness_.Draining();
  readiness_.ModelLoaded();
  EXPECT_THAT(told_, IsEmpty());
}

}  // namespace
}  // namespace genzo
