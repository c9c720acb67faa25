#include "base/tenant_totals.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(TenantTotalsTest, AddsUpByTenant) {
  TenantTotals totals;
  totals.Add("ada", 3);
  totals.Add("bob", 5);
  totals.Add("ada", 4);
  EXPECT_EQ(totals.Of("ada"), 7);
  EXPECT_EQ(totals.Of("bob"), 5);
}

TEST(TenantTotalsTest, DoesNotRememberWhoHasNothing) {
  TenantTotals totals;
  EXPECT_EQ(totals.Of("ada"), 0);
  totals.Add("bob", 5);
  totals.Add("bob", -5);
  totals.Add("eve", 0);
  EXPECT_EQ(totals.Count(), 0u);
}

}  // namespace
}  // namespace genzo
