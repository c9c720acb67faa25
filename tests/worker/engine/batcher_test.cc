#include "worker/engine/batcher.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kMaxWait = 10;

// Shapes "0", "1", ... with those caps; "" is one like the first.
std::map<std::string, ShapeLimits> Caps(const std::vector<int>& row_caps) {
  std::map<std::string, ShapeLimits> shapes;
  for (size_t i = 0; i < row_caps.size(); ++i) {
    shapes[std::to_string(i)] = {.row_cap = row_caps[i]};
  }
  if (!row_caps.empty()) shapes[""] = shapes["0"];
  return shapes;
}

std::vector<int> Pick(const std::vector<Candidate>& runs,
                      const std::vector<int>& row_caps) {
  Ledger ledger;
  return Batcher(kMaxWait).Pick({runs, Caps(row_caps)}, ledger);
}

TEST(BatcherTest, PicksNothingFromNothing) {
  EXPECT_THAT(Pick({}, {}), IsEmpty());
}

TEST(BatcherTest, StopsAtTheRowCapOfTheShape) {
  const Candidate guided = {.rows = 2};
  EXPECT_THAT(Pick({guided, guided, guided}, {4}), ElementsAre(0, 1));
}

TEST(BatcherTest, FillsTheCapWithSmallerRuns) {
  EXPECT_THAT(Pick({{.rows = 2}, {.rows = 2}, {.rows = 1}}, {3}),
              ElementsAre(0, 2));
}

TEST(BatcherTest, NetworksBesideTheModelTakeMemoryOfRows) {
  const Candidate plain = {.rows = 2};
  const Candidate steered = {.rows = 2, .load = 1.5};
  const auto pick = [](const std::vector<Candidate>& runs) {
    Ledger ledger;
    const ShapeLimits limits = {.row_cap = 8, .memory_rows = 6};
    return Batcher(kMaxWait).Pick({runs, {{"", limits}}}, ledger);
  };
  EXPECT_THAT(pick({plain, plain, plain, plain}), ElementsAre(0, 1, 2));
  EXPECT_THAT(pick({steered, steered, steered}), ElementsAre(0, 1));
  EXPECT_THAT(pick({steered, steered, plain}), ElementsAre(0, 1));
  EXPECT_THAT(pick({steered, plain, steered}), ElementsAre(0, 1));
  EXPECT_THAT(pick({{.rows = 8, .load = 2}}), ElementsAre(0)) << "always one";
}

TEST(BatcherTest, AlwaysTakesOne) {
  EXPECT_THAT(Pick({{.rows = 5}}, {2}), ElementsAre(0));
}

TEST(BatcherTest, TakesOneShapeOnly) {
  EXPECT_THAT(Pick({{.shape = "0"}, {.shape = "1"}, {.shape = "0"}}, {8, 8}),
              ElementsAre(0, 2));
}

TEST(BatcherTest, TakesTheLeastSlackFirst) {
  EXPECT_THAT(Pick({{.slack = 5}, {.slack = -1}, {.slack = 2}}, {2}),
              ElementsAre(1, 2));
}

TEST(BatcherTest, LetsNewRunsTakeTheirFirstStepAtOnce) {
  EXPECT_THAT(Pick({{.slack = 1}, {.slack = 9, .fresh = true}}, {1}),
              ElementsAre(1));
}

TEST(BatcherTest, ANewRunLeadsOnAFewStepsOfCredit) {
  const auto leader = [](double used_before) {
    const Flow old = {.tenant = "", .shape = "0"};
    const Flow with_new = {.tenant = "1", .shape = "1"};
    Ledger ledger;
    ledger.Meet({{old, 1}, {with_new, 1}});
    ledger.Charge({{with_new, used_before}}, {old, with_new}, false);
    return Batcher(kMaxWait).Pick(
        {{{.shape = "0"}, {.shape = "1", .tenant = "1", .fresh = true}},
         Caps({8, 8})},
        ledger)[0];
  };
  EXPECT_EQ(leader(Batcher::kStartCredit - 1), 1);
  EXPECT_EQ(leader(Batcher::kStartCredit + 1), 0);
}

// The header's example.
TEST(BatcherTest, ThreeTenantsOfTwoShapesShareTheTime) {
  const std::vector<Candidate> runs = {
      {.shape = "s", .tenant = "a"},
      {.shape = "s", .tenant = "a"},
      {.shape = "s", .tenant = "b"},
      {.shape = "s", .tenant = "b"},
      {.shape = "l", .tenant = "c", .cost = 4}};
  Ledger ledger;
  std::string picked;
  for (int i = 0; i < 8; ++i) {
    std::set<std::string> tenants;
    for (int index : Batcher(1000).Pick(
             {runs, {{"l", {.row_cap = 2}}, {"s", {.row_cap = 2}}}}, ledger)) {
      tenants.insert(runs[index].tenant);
    }
    for (const std::string& tenant : tenants) picked += tenant;
    picked += " ";
  }
  EXPECT_EQ(picked, "ab c ab ab ab c ab ab ");
}

TEST(BatcherTest, ATenantsHigherPrioritiesGoFirst) {
  EXPECT_THAT(Pick({{.priority = -1, .slack = -9, .fresh = true},
                    {.priority = 0},
                    {.priority = 1, .slack = 9}},
                   {1}),
              ElementsAre(2));
  EXPECT_THAT(Pick({{.shape = "0", .priority = 0, .fresh = true},
                    {.shape = "1", .priority = 1}},
                   {8, 8}),
              ElementsAre(1))
      << "in whatever shape";
}

TEST(BatcherTest, PriorityIsNoShare) {
  Ledger ledger;
  std::map<std::string, int> served;
  const std::vector<Candidate> runs = {
      {.tenant = "high", .priority = 1},
      {.shape = "1", .tenant = "high", .priority = 0},
      {.tenant = "low", .priority = -1}};
  for (int i = 0; i < 300; ++i) {
    ++served[runs[Batcher(1'000'000).Pick({runs, Caps({1, 1})}, ledger)[0]]
                 .tenant];
  }
  EXPECT_NEAR(served["high"], served["low"], 2);
}

TEST(BatcherTest, LowPriorityAges) {
  EXPECT_THAT(
      Pick({{.priority = -1, .waited = kMaxWait}, {.priority = 1}}, {1}),
      ElementsAre(0));
}

// Jobs of one step are new in every choice, and come and go.
TEST(BatcherTest, AStreamOfNewRunsLeavesOthersTheirShare) {
  Ledger ledger;
  int led = 0;
  for (int i = 0; i < 600; ++i) {
    const std::vector<Candidate> candidates = {
        {.shape = "0"},
        {.shape = "1", .tenant = std::to_string(1 + i % 2), .fresh = true}};
    led += Batcher(/*max_wait=*/1000)
               .Pick({candidates, Caps({8, 8})}, ledger)[0] == 0;
  }
  EXPECT_GT(led, 200);
}

TEST(BatcherTest, TheAgedGoBeforeAll) {
  EXPECT_THAT(Pick({{.shape = "0", .slack = -9, .fresh = true},
                    {.shape = "1", .slack = 99, .waited = kMaxWait}},
                   {8, 8}),
              ElementsAre(1));
}

TEST(BatcherTest, ALargeShapeHoldsASmallOneForOneStepAtMost) {
  Ledger ledger;
  const std::vector<Candidate> runs = {{.shape = "0", .rows = 2, .cost = 4},
                                       {.shape = "1", .rows = 2, .cost = 1}};
  int large_in_a_row = 0;
  int large = 0;
  for (int i = 0; i < 100; ++i) {
    const bool is_large =
        Batcher(1000).Pick({runs, Caps({2, 2})}, ledger)[0] == 0;
    large_in_a_row = is_large ? large_in_a_row + 1 : 0;
    large += is_large ? 1 : 0;
    EXPECT_LE(large_in_a_row, 1);
  }
  EXPECT_NEAR(large, 20, 1) << "each shape gets half of the time";
}

// Serves runs that never end for `choices` choices; returns cost by tenant.
std::map<std::string, double> Serve(std::vector<Candidate> runs, int cap,
                                    int choices) {
  Ledger ledger;
  std::map<std::string, double> served;
  for (int i = 0; i < choices; ++i) {
    for (Candidate& run : runs) ++run.waited;
    const int shapes = 8;
    for (int index :
         Batcher(/*max_wait=*/1'000'000)
             .Pick({runs, Caps(std::vector<int>(shapes, cap))}, ledger)) {
      served[runs[index].tenant] += runs[index].cost;
      runs[index].waited = 0;
    }
  }
  return served;
}

TEST(BatcherTest, TenantsShareEvenlyWhateverTheirNumberOfRuns) {
  std::vector<Candidate> runs(8, {.tenant = "0", .rows = 2});
  runs.push_back({.tenant = "1", .rows = 2});
  runs.push_back({.tenant = "2", .rows = 2});
  auto served = Serve(runs, /*cap=*/2, 300);
  EXPECT_NEAR(served["0"], served["1"], 2);
  EXPECT_NEAR(served["1"], served["2"], 2);
}

TEST(BatcherTest, ShapesDoNotMultiplyATenantsShare) {
  auto served = Serve({{.shape = "0", .tenant = "0"},
                       {.shape = "1", .tenant = "0"},
                       {.shape = "2", .tenant = "0"},
                       {.shape = "3", .tenant = "1"}},
                      /*cap=*/1, 600);
  EXPECT_NEAR(served["0"], served["1"], 3);
}

// A flood of tenant 0 beside one run of tenant 1, eight runs an evaluation.
class DebtTest : public ::testing::Test {
 protected:
  DebtTest() : runs_(20, {.tenant = "0"}) { runs_.push_back({.tenant = "1"}); }

  // Tenants of the next evaluation, the leader's first.
  std::vector<std::string> Next() {
    std::vector<std::string> tenants;
    for (Candidate& run : runs_) ++run.waited;
    for (int index :
         Batcher(/*max_wait=*/100).Pick({runs_, Limits()}, ledger_)) {
      tenants.push_back(runs_[index].tenant);
      runs_[index].waited = 0;
    }
    return tenants;
  }

  std::map<std::string, ShapeLimits> Limits() const {
    const ShapeLimits limits = {.row_cap = 8, .times = times_};
    return {{"", limits}, {"1", limits}};
  }

  std::vector<Candidate> runs_;
  std::vector<double> times_ = {10, 12, 14, 16, 18, 20, 22, 24};
  Ledger ledger_;
};

TEST_F(DebtTest, AFloodFillsUpWhatIsFreeUntilItIsInDebt) {
  EXPECT_EQ(Next().size(), 8u);
  EXPECT_EQ(Next().size(), 8u);
}

TEST_F(DebtTest, InDebtItIsAGuestThatHoldsNobodyUp) {
  for (int i = 0; i < 80; ++i) Next();
  // 12 is at most 1.25 times 10, 14 is not.
  EXPECT_THAT(Next(), ElementsAre("1", "0"));
}

TEST_F(DebtTest, TheDebtIsPaidOff) {
  times_ = {10, 20, 30, 40, 50, 60, 70, 80};  // too much for any guest
  const auto until = [&](size_t runs) {
    int evaluations = 0;
    while (Next().size() != runs && evaluations < 1000) ++evaluations;
    return evaluations;
  };
  EXPECT_LT(until(1), 80);
  EXPECT_LT(until(8), 800);
}

TEST_F(DebtTest, AloneItOwesNobody) {
  for (int i = 0; i < 80; ++i) Next();
  runs_.pop_back();
  EXPECT_EQ(Next().size(), 8u);
}

TEST_F(DebtTest, AgedDebtorsTakeTurnsWithTheOthers) {
  std::vector<Candidate> candidates(
      9, {.tenant = "1", .waited = 999});  // all aged at once
  candidates[0] = {.tenant = "0"};
  Ledger ledger;
  const Flow one = {.tenant = "1", .shape = ""};
  ledger.Meet({{{.tenant = "0", .shape = ""}, 1}, {one, 1}});
  ledger.Charge({{one, 2 * Ledger::kMostOwed}}, {one}, false);
  int theirs = 0;
  for (int i = 0; i < 4 * Batcher::kDebtorTurn; ++i) {
    theirs += Batcher(kMaxWait).Pick({candidates, Caps({1})}, ledger)[0] != 0;
  }
  EXPECT_EQ(theirs, 4);
}

TEST_F(DebtTest, ABacklogMakesDebtForThoseWhoCome) {
  const Candidate light = runs_.back();
  runs_.pop_back();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Next().size(), 8u);
  runs_.push_back(light);
  EXPECT_THAT(Next(), ElementsAre("1", "0"));
}

TEST_F(DebtTest, ABacklogInTwoShapesIsOneToo) {
  const Candidate light = runs_.back();
  runs_.pop_back();
  for (int i = 0; i < 10; ++i) runs_[i].shape = "1";
  for (int i = 0; i < 40; ++i) Batcher(100).Pick({runs_, Limits()}, ledger_);
  runs_.push_back(light);
  EXPECT_THAT(Batcher(100).Pick({runs_, Limits()}, ledger_), SizeIs(2));
}

TEST_F(DebtTest, LeadingInTurnDoesNotKeepTheAgedFromTheirs) {
  // Ten large pictures alone, one of somebody else's for a while, then small
  // ones of the first tenant.
  std::vector<Candidate> live(10, {.rows = 2, .cost = 16});
  Ledger ledger;
  int longest = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 100) {
      live.push_back({.tenant = "1", .rows = 2, .cost = 16, .fresh = true});
    } else if (i == 110) {
      live.insert(live.end(), 4, {.shape = "1", .fresh = true});
    }
    const auto picked = Batcher(kMaxWait).Pick({live, Caps({4, 4})}, ledger);
    for (Candidate& run : live) longest = std::max(longest, ++run.waited);
    for (int index : picked) {
      live[index].waited = 0;
      live[index].fresh = false;
    }
  }
  EXPECT_LE(longest, Batcher::kDebtorPatience * kMaxWait +
                         Batcher::kDebtorTurn * static_cast<int>(live.size()));
}

TEST_F(DebtTest, ATenantOwesItselfNothing) {
  runs_.pop_back();
  for (int i = 0; i < 100; ++i) Next();
  runs_.push_back({.shape = "1", .tenant = "0"});
  int streak = 0;
  int longest = 0;
  for (int i = 0; i < 100; ++i) {
    for (Candidate& run : runs_) ++run.waited;
    const auto picked =
        Batcher(/*max_wait=*/16).Pick({runs_, Caps({8, 8})}, ledger_);
    for (int index : picked) runs_[index].waited = 0;
    streak = runs_[picked[0]].shape == "1" ? streak + 1 : 0;
    longest = std::max(longest, streak);
  }
  EXPECT_LE(longest, 16) << "in debt its runs would age eight times as slowly";
}

TEST_F(DebtTest, NobodyInheritsIt) {
  for (int i = 0; i < 80; ++i) Next();
  ledger_.Meet({});                  // all were cancelled
  runs_.assign(8, {.tenant = "0"});  // another's, of the same name
  runs_.push_back({.tenant = "1"});
  EXPECT_EQ(Next().size(), 8u);
}

TEST_F(DebtTest, AGuestThatFillsUpTheEvaluationCountsAsSuch) {
  for (int i = 0; i < 80; ++i) Next();
  for (Candidate& run : runs_) run.reproducible = run.tenant == "0";
  EXPECT_THAT(Next(), ElementsAre("1"));
  runs_.back().reproducible = true;  // it is full anyway
  EXPECT_EQ(Next().size(), 8u);
}

// The header's promise, under arrivals that try to break it.
TEST(BatcherTest, NoRunWaitsLongerThanTheBound) {
  std::mt19937 random(1);
  const auto draw = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 20; ++round) {
    Ledger ledger;
    std::vector<Candidate> live;
    const size_t most = 1 + draw(40);
    // Of one tenant alone nobody is in debt.
    const int tenants = round % 2 == 0 ? 1 : 5;
    const int bound = tenants == 1
                          ? kMaxWait + static_cast<int>(most)
                          : Batcher::kDebtorPatience * kMaxWait +
                                Batcher::kDebtorTurn * static_cast<int>(most);
    int longest = 0;
    for (int i = 0; i < 500; ++i) {
      while (live.size() < most) {
        live.push_back({.shape = std::to_string(draw(4)),
                        .tenant = std::to_string(draw(tenants)),
                        .priority = draw(3) - 1,
                        .rows = 1 + draw(2),
                        .cost = 0.5 + draw(8),
                        .slack = draw(100) - 50.0,
                        .waited = 0,
                        .fresh = true});
      }
      const auto picked =
          Batcher(kMaxWait).Pick({live, Caps({2, 4, 8, 3})}, ledger);
      std::vector<Candidate> next;
      for (size_t k = 0; k < live.size(); ++k) {
        const bool ran =
            std::find(picked.begin(), picked.end(), k) != picked.end();
        Candidate run = live[k];
        run.waited = ran ? 0 : run.waited + 1;
        run.fresh = run.fresh && !ran;
        longest = std::max(longest, run.waited);
        if (!ran || draw(4) > 0) next.push_back(run);  // some end
      }
      live = next;
    }
    EXPECT_LE(longest, bound);
  }
}

}  // namespace
}  // namespace genzo
