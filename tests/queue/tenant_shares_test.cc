#include "queue/tenant_shares.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TenantSharesTest, WhoeverComesFirstMayFillThePlaces) {
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}}, 4), IsEmpty());
  EXPECT_THAT(TenantsWithEnough({{"flood", 4}}, 4), ElementsAre("flood"));
  EXPECT_EQ(PlacesShort({{"flood", 3}}, 4, "flood"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}}, 4, "flood"), 1u);
}

TEST(TenantSharesTest, WhenTheyAreFullOthersStillGetTheirShare) {
  EXPECT_EQ(PlacesShort({{"flood", 4}}, 4, "light"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 1}}, 4, "light"), 0u);
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 2}}, 4, "light"), 3u);
  // The others' places beyond the limit are gone before a flood gets one.
  EXPECT_EQ(PlacesShort({{"flood", 4}, {"light", 2}}, 4, "flood"), 3u);
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}, {"light", 1}}, 4),
              ElementsAre("flood"));
}

TEST(TenantSharesTest, NobodyGetsMoreThanTwiceThePlaces) {
  const TenantCounts counts = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
  EXPECT_EQ(PlacesShort({{"a", 2}, {"b", 1}}, 2, "new"), 0u);
  EXPECT_EQ(PlacesShort(counts, 2, "new"), 1u);
}

}  // namespace
}  // namespace genzo
