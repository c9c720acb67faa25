#include "worker/engine/batcher.h"

#include <algorithm>
#include <map>
#include <random>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kMaxWait = 10;

std::vector<ShapeLimits> Caps(const std::vector<int>& row_caps) {
  std::vector<ShapeLimits> limits;
  for (int cap : row_caps) limits.push_back({.row_cap = cap});
  return limits;
}

std::vector<int> Pick(const std::vector<Candidate>& candidates,
                      const std::vector<int>& row_caps) {
  FairShares shares;
  return Batcher(kMaxWait).Pick(candidates, Caps(row_caps), shares);
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

TEST(BatcherTest, AlwaysTakesOne) {
  EXPECT_THAT(Pick({{.rows = 5}}, {2}), ElementsAre(0));
}

TEST(BatcherTest, TakesOneShapeOnly) {
  EXPECT_THAT(Pick({{.shape = 0}, {.shape = 1}, {.shape = 0}}, {8, 8}),
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
  const std::vector<Candidate> candidates = {
      {.shape = 0}, {.shape = 1, .tenant = 1, .fresh = true}};
  FairShares shares;
  FairShares::Share& newcomers = shares.flows[{1, 1.0, 1}];
  newcomers.deficit = -Batcher::kStartCredit + 1;
  EXPECT_THAT(Batcher(kMaxWait).Pick(candidates, Caps({8, 8}), shares),
              ElementsAre(1));
  newcomers.deficit = -Batcher::kStartCredit - 1;
  EXPECT_THAT(Batcher(kMaxWait).Pick(candidates, Caps({8, 8}), shares),
              ElementsAre(0));
}

// Jobs of one step are new in every choice, and come and go.
TEST(BatcherTest, AStreamOfNewRunsLeavesOthersTheirShare) {
  FairShares shares;
  int led = 0;
  for (int i = 0; i < 600; ++i) {
    const std::vector<Candidate> candidates = {
        {.shape = 0}, {.shape = 1, .tenant = 1 + i % 2, .fresh = true}};
    led +=
        Batcher(/*max_wait=*/1000).Pick(candidates, Caps({8, 8}), shares)[0] ==
        0;
  }
  EXPECT_GT(led, 200);
}

TEST(BatcherTest, TheAgedGoBeforeAll) {
  EXPECT_THAT(Pick({{.shape = 0, .slack = -9, .fresh = true},
                    {.shape = 1, .slack = 99, .waited = kMaxWait}},
                   {8, 8}),
              ElementsAre(1));
}

TEST(BatcherTest, ALargeShapeHoldsASmallOneForOneStepAtMost) {
  FairShares shares;
  const std::vector<Candidate> runs = {{.shape = 0, .rows = 2, .cost = 4},
                                       {.shape = 1, .rows = 2, .cost = 1}};
  int large_in_a_row = 0;
  int large = 0;
  for (int i = 0; i < 100; ++i) {
    const bool is_large =
        Batcher(1000).Pick(runs, Caps({2, 2}), shares)[0] == 0;
    large_in_a_row = is_large ? large_in_a_row + 1 : 0;
    large += is_large ? 1 : 0;
    EXPECT_LE(large_in_a_row, 1);
  }
  EXPECT_NEAR(large, 20, 1) << "each shape gets half of the time";
}

// Serves runs that never end for `choices` choices; returns cost by tenant.
std::map<int, double> Serve(std::vector<Candidate> runs, int cap, int choices) {
  FairShares shares;
  std::map<int, double> served;
  for (int i = 0; i < choices; ++i) {
    for (Candidate& run : runs) ++run.waited;
    const int shapes = 8;
    for (int index :
         Batcher(/*max_wait=*/1'000'000)
             .Pick(runs, Caps(std::vector<int>(shapes, cap)), shares)) {
      served[runs[index].tenant] += runs[index].cost;
      runs[index].waited = 0;
    }
  }
  return served;
}

TEST(BatcherTest, TenantsShareEvenlyWhateverTheirNumberOfRuns) {
  std::vector<Candidate> runs(8, {.tenant = 0, .rows = 2});
  runs.push_back({.tenant = 1, .rows = 2});
  runs.push_back({.tenant = 2, .rows = 2});
  auto served = Serve(runs, /*cap=*/2, 300);
  EXPECT_NEAR(served[0], served[1], 2);
  EXPECT_NEAR(served[1], served[2], 2);
}

TEST(BatcherTest, ShapesDoNotMultiplyATenantsShare) {
  auto served = Serve({{.shape = 0, .tenant = 0},
                       {.shape = 1, .tenant = 0},
                       {.shape = 2, .tenant = 0},
                       {.shape = 3, .tenant = 1}},
                      /*cap=*/1, 600);
  EXPECT_NEAR(served[0], served[1], 3);
}

TEST(BatcherTest, PrioritiesAreWeights) {
  auto served = Serve({{.tenant = 0, .weight = 1},
                       {.tenant = 1, .weight = 4},
                       {.tenant = 2, .weight = 0.25}},
                      /*cap=*/1, 1050);
  EXPECT_NEAR(served[1] / served[0], 4, 0.1);
  EXPECT_NEAR(served[0] / served[2], 4, 0.2);
}

// A flood of tenant 0 beside one run of tenant 1, eight runs an evaluation.
class DebtTest : public ::testing::Test {
 protected:
  DebtTest() : runs_(20, {.tenant = 0}) { runs_.push_back({.tenant = 1}); }

  // Tenants of the next evaluation, the leader's first.
  std::vector<int> Next() {
    const std::vector<ShapeLimits> limits = {{.row_cap = 8, .times = times_}};
    std::vector<int> tenants;
    for (Candidate& run : runs_) ++run.waited;
    for (int index : Batcher(/*max_wait=*/100).Pick(runs_, limits, shares_)) {
      tenants.push_back(runs_[index].tenant);
      runs_[index].waited = 0;
    }
    return tenants;
  }

  std::vector<Candidate> runs_;
  std::vector<double> times_ = {10, 12, 14, 16, 18, 20, 22, 24};
  FairShares shares_;
};

TEST_F(DebtTest, AFloodFillsUpWhatIsFreeUntilItIsInDebt) {
  EXPECT_EQ(Next().size(), 8u);
  EXPECT_EQ(Next().size(), 8u);
}

TEST_F(DebtTest, InDebtItIsAGuestThatHoldsNobodyUp) {
  for (int i = 0; i < 80; ++i) Next();
  // 12 is at most 1.25 times 10, 14 is not.
  EXPECT_THAT(Next(), ElementsAre(1, 0));
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
      9, {.tenant = 1, .waited = 999});  // all aged at once
  candidates[0] = {.tenant = 0};
  FairShares shares;
  shares.debts[1] = Batcher::kMostOwed;
  int theirs = 0;
  for (int i = 0; i < 4 * Batcher::kDebtorTurn; ++i) {
    theirs += Batcher(kMaxWait).Pick(candidates, Caps({1}), shares)[0] != 0;
  }
  EXPECT_EQ(theirs, 4);
}

TEST_F(DebtTest, ABacklogMakesDebtForThoseWhoCome) {
  const Candidate light = runs_.back();
  runs_.pop_back();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Next().size(), 8u);
  runs_.push_back(light);
  EXPECT_THAT(Next(), ElementsAre(1, 0));
}

TEST_F(DebtTest, ABacklogInTwoShapesIsOneToo) {
  const Candidate light = runs_.back();
  runs_.pop_back();
  for (int i = 0; i < 10; ++i) runs_[i].shape = 1;
  const std::vector<ShapeLimits> limits = {{.row_cap = 8, .times = times_},
                                           {.row_cap = 8, .times = times_}};
  for (int i = 0; i < 40; ++i) Batcher(100).Pick(runs_, limits, shares_);
  runs_.push_back(light);
  EXPECT_THAT(Batcher(100).Pick(runs_, limits, shares_), SizeIs(2));
}

TEST_F(DebtTest, LeadingInTurnDoesNotKeepTheAgedFromTheirs) {
  // Ten large pictures alone, one of somebody else's for a while, then small
  // ones of the first tenant.
  std::vector<Candidate> live(10, {.rows = 2, .cost = 16});
  FairShares shares;
  int longest = 0;
  for (int i = 0; i < 1000; ++i) {
    if (i == 100) {
      live.push_back({.tenant = 1, .rows = 2, .cost = 16, .fresh = true});
    } else if (i == 110) {
      live.insert(live.end(), 4, {.shape = 1, .fresh = true});
    }
    const auto picked = Batcher(kMaxWait).Pick(live, Caps({4, 4}), shares);
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
  runs_.push_back({.shape = 1, .tenant = 0});
  int streak = 0;
  int longest = 0;
  for (int i = 0; i < 100; ++i) {
    for (Candidate& run : runs_) ++run.waited;
    const auto picked =
        Batcher(/*max_wait=*/16).Pick(runs_, Caps({8, 8}), shares_);
    for (int index : picked) runs_[index].waited = 0;
    streak = runs_[picked[0]].shape == 1 ? streak + 1 : 0;
    longest = std::max(longest, streak);
  }
  EXPECT_LE(longest, 16) << "in debt its runs would age eight times as slowly";
}

TEST_F(DebtTest, NobodyInheritsIt) {
  for (int i = 0; i < 80; ++i) Next();
  Batcher(100).Pick({}, {}, shares_);  // all were cancelled
  runs_.assign(8, {.tenant = 0});      // another's, with the same number
  runs_.push_back({.tenant = 1});
  EXPECT_EQ(Next().size(), 8u);
}

TEST_F(DebtTest, AGuestThatFillsUpTheEvaluationCountsAsSuch) {
  for (int i = 0; i < 80; ++i) Next();
  for (Candidate& run : runs_) run.fills = run.tenant == 0;
  EXPECT_THAT(Next(), ElementsAre(1));
  runs_.back().fills = true;  // it is full anyway
  EXPECT_EQ(Next().size(), 8u);
}

// The header's promise, under arrivals that try to break it.
TEST(BatcherTest, NoRunWaitsLongerThanTheBound) {
  std::mt19937 random(1);
  const auto draw = [&](int n) { return static_cast<int>(random() % n); };
  for (int round = 0; round < 20; ++round) {
    FairShares shares;
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
        live.push_back({.shape = draw(4),
                        .tenant = draw(tenants),
                        .weight = std::vector<double>{0.25, 1, 4}[draw(3)],
                        .rows = 1 + draw(2),
                        .cost = 0.5 + draw(8),
                        .slack = draw(100) - 50.0,
                        .waited = 0,
                        .fresh = true});
      }
      const auto picked =
          Batcher(kMaxWait).Pick(live, Caps({2, 4, 8, 3}), shares);
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
