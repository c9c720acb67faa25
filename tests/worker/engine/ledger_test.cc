#include "worker/engine/ledger.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

const Flow kA = {.tenant = "a", .shape = "s"};
const Flow kALarge = {.tenant = "a", .shape = "l"};
const Flow kB = {.tenant = "b", .shape = "s"};

TEST(LedgerTest, WhatIsChargedIsCreditedToAllTenantsAlike) {
  Ledger ledger;
  ledger.Meet({{kA, 1}, {kALarge, 4}, {kB, 1}});
  ledger.Charge({{kALarge, 4}}, {kA, kALarge, kB}, false);
  EXPECT_EQ(ledger.DeficitOf(kALarge), -4 + 1);
  EXPECT_EQ(ledger.DeficitOf(kA), 1);
  EXPECT_EQ(ledger.DeficitOf(kB), 2);
}

TEST(LedgerTest, OnlyWhoMayLeadIsCredited) {
  Ledger ledger;
  ledger.Meet({{kA, 1}, {kALarge, 1}, {kB, 1}});
  ledger.Charge({{kB, 2}}, {kA, kB}, false);
  EXPECT_EQ(ledger.DeficitOf(kA), 1) << "its tenant's whole share";
  EXPECT_EQ(ledger.DeficitOf(kALarge), 0);
}

TEST(LedgerTest, ANewShapeBringsNoCredit) {
  Ledger ledger;
  ledger.Meet({{kA, 1}, {kB, 1}});
  ledger.Charge({{kA, 6}}, {kA, kB}, false);
  ledger.Meet({{kA, 1}, {kALarge, 1}, {kB, 1}});
  EXPECT_EQ(ledger.DeficitOf(kALarge), -3);
}

TEST(LedgerTest, WhoLeavesIsForgotten) {
  Ledger ledger;
  ledger.Meet({{kA, 1}, {kB, 1}});
  ledger.Charge({{kA, 1000}}, {kA, kB}, false);
  ledger.Meet({{kA, 1}, {kB, 1}});
  EXPECT_TRUE(ledger.IsDebtor("a"));
  ledger.Meet({{kB, 1}});
  ledger.Meet({{kA, 1}, {kB, 1}});
  EXPECT_FALSE(ledger.IsDebtor("a"));
  EXPECT_EQ(ledger.DeficitOf(kA), 0);
}

TEST(LedgerTest, DebtorsAreNeitherChargedNorCredited) {
  Ledger ledger;
  ledger.Meet({{kA, 1}, {kB, 1}});
  ledger.Charge({{kA, 2 * Ledger::kDebt + 2}}, {kA, kB}, false);
  ledger.Meet({{kA, 1}, {kB, 1}});
  ASSERT_TRUE(ledger.IsDebtor("a"));
  const double before = ledger.DeficitOf(kA);
  ledger.Charge({{kA, 1}, {kB, 1}}, {kA, kB}, false);
  EXPECT_EQ(ledger.DeficitOf(kA), before);
  // Paid off by what the other uses alone.
  for (int i = 0; i < 4; ++i) ledger.Charge({{kB, 1}}, {kB}, false);
  ledger.Meet({{kA, 1}, {kB, 1}});
  EXPECT_FALSE(ledger.IsDebtor("a"));
}

TEST(LedgerTest, AloneOneOwesOnlyForABacklog) {
  Ledger ledger;
  for (bool has_backlog : {false, true}) {
    ledger.Meet({{kA, 1}});
    ledger.Charge({{kA, 1000}}, {kA}, has_backlog);
    ledger.Meet({{kA, 1}, {kB, 1}});
    EXPECT_EQ(ledger.IsDebtor("a"), has_backlog);
  }
}

TEST(LedgerTest, IfAllOweNobodyDoes) {
  Ledger ledger;
  ledger.Meet({{kA, 1}});
  ledger.Charge({{kA, 1000}}, {kA}, /*has_backlog=*/true);
  ledger.Meet({{kA, 1}});
  EXPECT_FALSE(ledger.IsDebtor("a"));
  EXPECT_THAT(ledger.owing(), ::testing::ElementsAre("a"))
      << "to whoever comes";
}

}  // namespace
}  // namespace genzo
