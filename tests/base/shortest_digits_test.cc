#include "base/shortest_digits.h"

#include <cstdlib>
#include <limits>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

TEST(ShortestDigitsTest, HasNoMoreThanItNeeds) {
  EXPECT_EQ(ShortestDigits(7.5), "7.5");
  EXPECT_EQ(ShortestDigits(0.1), "0.1");
  EXPECT_EQ(ShortestDigits(100), "100");
}

TEST(ShortestDigitsTest, IsReadBackAsTheSameNumber) {
  for (const double number :
       {1.0 / 3, 0.1 + 0.2, -std::numeric_limits<double>::denorm_min(),
        std::numeric_limits<double>::max()}) {
    EXPECT_EQ(std::strtod(ShortestDigits(number).c_str(), nullptr), number);
  }
}

}  // namespace
}  // namespace genzo
