#include "worker/pipeline/transformer_parts.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(FlowFirstStepTest, RoundsWhatIsLeftOutDown) {
  EXPECT_EQ(FlowFirstStepOf(0.6, 10), 4);
  EXPECT_EQ(FlowFirstStepOf(0.6, 8), 3) << "4.8 steps are walked as 5";
  EXPECT_EQ(FlowFirstStepOf(1, 8), 0);
  EXPECT_EQ(FlowFirstStepOf(0.01, 8), 7);
}

TEST(TextOrTest, AnEncoderWithoutAPromptReadsTheFirst) {
  EXPECT_EQ(TextOr("own", "first"), "own");
  EXPECT_EQ(TextOr("", "first"), "first");
}

}  // namespace
}  // namespace genzo
