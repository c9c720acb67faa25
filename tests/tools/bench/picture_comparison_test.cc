#include "tools/bench/picture_comparison.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::Optional;

TEST(PictureComparisonTest, FindsEqualFilesIdentical) {
  const PictureComparison comparison =
      Compare({{0, "a"}, {1, "b"}}, {{1, "b"}, {0, "a"}});
  EXPECT_EQ(comparison.compared, 2);
  EXPECT_THAT(comparison.IdenticalShare(), Optional(1.0));
  EXPECT_EQ(comparison.largest_difference, 0);
}

TEST(PictureComparisonTest, ComparesOnlyWhatBothHave) {
  const PictureComparison comparison =
      Compare({{0, "a"}, {1, "b"}}, {{1, "b"}, {2, "c"}});
  EXPECT_EQ(comparison.compared, 1);
  EXPECT_EQ(comparison.identical, 1);
  EXPECT_EQ(Compare({{0, "a"}}, {}).IdenticalShare(), std::nullopt);
}

TEST(PictureComparisonTest, FilesThatAreNoPicturesDiffer) {
  const PictureComparison comparison = Compare({{0, "a"}}, {{0, "b"}});
  EXPECT_THAT(comparison.IdenticalShare(), Optional(0.0));
  EXPECT_EQ(comparison.largest_difference, 255);
}

}  // namespace
}  // namespace genzo
