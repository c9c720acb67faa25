#include "base/statistics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::DoubleNear;
using ::testing::Optional;

TEST(QuantileTest, InterpolatesBetweenRanks) {
  const std::vector<double> values = {40, 10, 30, 20};
  EXPECT_THAT(Quantile(values, 0), Optional(10.0));
  EXPECT_THAT(Quantile(values, 0.5), Optional(25.0));
  EXPECT_THAT(Quantile(values, 0.9), Optional(DoubleNear(37, 1e-9)));
  EXPECT_THAT(Quantile(values, 1), Optional(40.0));
}

TEST(QuantileTest, HasOneValueForAll) {
  EXPECT_THAT(Quantile({7}, 0.01), Optional(7.0));
  EXPECT_THAT(Quantile({7}, 0.99), Optional(7.0));
}

TEST(QuantileTest, HasNoneOfNothing) {
  EXPECT_EQ(Quantile({}, 0.5), std::nullopt);
  EXPECT_FALSE(SpreadOf({}).has_value());
}

TEST(SpreadTest, TellsTheTailFromTheMiddle) {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const Spread spread = *SpreadOf(values);
  EXPECT_EQ(spread.count, 101);
  EXPECT_DOUBLE_EQ(spread.mean, 50);
  EXPECT_DOUBLE_EQ(spread.p50, 50);
  EXPECT_DOUBLE_EQ(spread.p90, 90);
  EXPECT_DOUBLE_EQ(spread.p99, 99);
}

TEST(JainIndexTest, IsOneForEqualShares) {
  EXPECT_THAT(JainIndex({3, 3, 3, 3}), Optional(1.0));
}

TEST(JainIndexTest, IsOneOverTheirNumberIfOneHasAll) {
  EXPECT_THAT(JainIndex({0, 9, 0, 0}), Optional(0.25));
}

TEST(JainIndexTest, IsUndefinedOfNothing) {
  EXPECT_EQ(JainIndex({}), std::nullopt);
  EXPECT_EQ(JainIndex({0, 0}), std::nullopt);
}

}  // namespace
}  // namespace genzo
