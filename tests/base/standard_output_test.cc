#include "base/standard_output.h"

#include <iostream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(StandardOutputTest, OutputThatCannotBeWrittenIsNoSuccess) {
  std::cout.setstate(std::ios::badbit);
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(EndOutput("genzo", 0), 1);
  EXPECT_EQ(EndOutput("genzo", 3), 3) << "what failed first counts";
  std::cout.clear();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              ::testing::HasSubstr("genzo: standard output cannot be written"));
  EXPECT_EQ(EndOutput("genzo", 0), 0);
}

}  // namespace
}  // namespace genzo
