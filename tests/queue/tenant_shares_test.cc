#include "queue/tenant_shares.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TenantSharesTest, WhoeverComesFirstMayFillThePlaces) {
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}}, 4), IsEmpty());
  EXPECT_THAT(TenantsWithEnough({{"flood", 4}}, 4), ElementsAre("flood"));
  EXPECT_TRUE(HasRoom({{"flood", 3}}, 4, "flood"));
  EXPECT_FALSE(HasRoom({{"flood", 4}}, 4, "flood"));
}

TEST(TenantSharesTest, WhenTheyAreFullOthersStillGetTheirShare) {
  EXPECT_TRUE(HasRoom({{"flood", 4}}, 4, "light"));
  EXPECT_TRUE(HasRoom({{"flood", 4}, {"light", 1}}, 4, "light"));
  EXPECT_FALSE(HasRoom({{"flood", 4}, {"light", 2}}, 4, "light"));
  EXPECT_THAT(TenantsWithEnough({{"flood", 3}, {"light", 1}}, 4),
              ElementsAre("flood"));
}

TEST(TenantSharesTest, NobodyGetsMoreThanTwiceThePlaces) {
  const TenantCounts counts = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
  EXPECT_TRUE(HasRoom({{"a", 2}, {"b", 1}}, 2, "new"));
  EXPECT_FALSE(HasRoom(counts, 2, "new"));
}

}  // namespace
}  // namespace genzo
