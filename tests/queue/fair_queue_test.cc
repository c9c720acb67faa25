#include "queue/fair_queue.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

absl::Time At(int seconds) { return absl::FromUnixSeconds(seconds); }

FairQueueItem Item(const std::string& id, const std::string& tenant,
                   int due = 0) {
  return {.id = id, .tenant = tenant, .latest_start = At(due), .model = "a"};
}

TEST(FairQueueTest, AJobCostsWhatItIsChargedByTheWeightOfItsTenant) {
  const JobDemand demand = {.weight = 2,
                            .pixels = 1 << 19,
                            .rows = 2,
                            .images = 3,
                            .steps = 10,
                            .load = 1.5};
  EXPECT_EQ(CostUnits(demand), 45);
  EXPECT_EQ(QueueItem("a", demand, At(0)).cost, 22.5);
}

TEST(FairQueueTest, OneTenantsJobsLeaveByLatestStart) {
  FairQueue queue;
  queue.Push(Item("late", "t", 9));
  queue.Push(Item("soon", "t", 1));
  queue.Push(Item("soon too", "t", 1));
  EXPECT_THAT(queue.Order(9), ElementsAre("soon", "soon too", "late"));
  EXPECT_EQ(queue.size(), 3u);
}

TEST(FairQueueTest, AFloodDoesNotDelayOthers) {
  FairQueue queue;
  for (int i = 0; i < 5; ++i) queue.Push(Item("f" + std::to_string(i), "f"));
  queue.Push(Item("a", "a"));
  queue.Push(Item("b", "b"));
  EXPECT_THAT(queue.Order(4), ElementsAre("f0", "a", "b", "f1"));
}

TEST(FairQueueTest, WhoComesBackHasNoCredit) {
  FairQueue queue;
  for (int i = 0; i < 4; ++i) {
    queue.Push(Item("f" + std::to_string(i), "f"));
    queue.Pop({});
  }
  queue.Push(Item("f4", "f"));
  queue.Push(Item("f5", "f"));
  queue.Push(Item("a0", "a"));
  queue.Push(Item("a1", "a"));
  EXPECT_THAT(queue.Order(4), ElementsAre("f4", "a0", "f5", "a1"));
}

// A tenant that always has just one job here is charged for those before.
TEST(FairQueueTest, OneJobAtATimeIsNoWayToTheFront) {
  FairQueue queue;
  for (int i = 0; i < 50; ++i) queue.Push(Item("m" + std::to_string(i), "m"));
  queue.Push(Item("a0", "a"));
  int of_a = 0;
  for (int i = 1; i <= 20; ++i) {
    if (queue.Pop({})->tenant != "a") continue;
    ++of_a;
    queue.Push(Item("a" + std::to_string(i), "a"));
  }
  EXPECT_EQ(of_a, 10);
}

// As where each user of a service is a tenant, and there are always new ones.
TEST(FairQueueTest, NewcomersDoNotKeepWhoWaitsWaitingForEver) {
  FairQueue queue;
  queue.Push(Item("m0", "m"));
  queue.Push(Item("m1", "m"));
  EXPECT_EQ(queue.Pop({})->id, "m0");
  int newcomers = 0;
  while (true) {
    // Their names come before and after the other's.
    const std::string name =
        (newcomers % 2 == 0 ? "a" : "z") + std::to_string(newcomers);
    queue.Push(Item(name, name));
    if (queue.Pop({})->id == "m1") break;
    ASSERT_LT(++newcomers, 100);
  }
  EXPECT_LE(newcomers, FairQueue::kMaxPasses);
}

// But who comes seldom does not wait behind who has much.
TEST(FairQueueTest, AFloodGoesBehindANewcomer) {
  FairQueue queue;
  for (int i = 0; i < 9; ++i) queue.Push(Item("f" + std::to_string(i), "f"));
  for (int i = 0; i < 5; ++i) queue.Pop({});
  queue.Push(Item("new", "new"));
  EXPECT_EQ(queue.Pop({})->id, "new");
}

TEST(FairQueueTest, ACancelledJobKeepsItsTenantsPlace) {
  FairQueue queue;
  for (int i = 0; i < 9; ++i) queue.Push(Item("m" + std::to_string(i), "m"));
  for (int i = 0; i < 3; ++i) {
    queue.Push(Item("a", "a"));
    while (queue.Pop({})->tenant != "a") {
    }
    queue.Push(Item("gone", "a"));
    EXPECT_TRUE(queue.Remove("gone"));
  }
  EXPECT_EQ(queue.size(), 9u - 3u) << "every other turn was the other's";
}

FairQueueItem Ranked(const std::string& id, int priority,
                     const std::string& tenant = "t") {
  FairQueueItem item = Item(id, tenant);
  item.priority = priority;
  return item;
}

TEST(FairQueueTest, PriorityOrdersWithinATenant) {
  FairQueue queue;
  queue.Push(Ranked("low", -1));
  queue.Push(Ranked("normal", 0));
  queue.Push(Ranked("high", 1));
  EXPECT_THAT(queue.Order(9), ElementsAre("high", "normal", "low"));
}

TEST(FairQueueTest, PriorityGivesATenantNoMore) {
  FairQueue queue;
  for (int i = 0; i < 4; ++i) {
    queue.Push(Ranked("h" + std::to_string(i), 1, "high"));
    queue.Push(Ranked("l" + std::to_string(i), -1, "low"));
  }
  EXPECT_THAT(queue.Order(4), ElementsAre("h0", "l0", "h1", "l1"));
}

// The header's promise.
TEST(FairQueueTest, NoPriorityStarves) {
  FairQueue queue;
  for (int i = 0; i < 5; ++i) queue.Push(Ranked("l" + std::to_string(i), -1));
  for (int i = 0; i < 5; ++i) queue.Push(Ranked("n" + std::to_string(i), 0));
  int low = 0;
  int normal = 0;
  for (int i = 1; low < 5 || normal < 5; ++i) {
    queue.Push(Ranked("h" + std::to_string(i), 1));
    const std::string id = queue.Pop({})->id;
    low += id[0] == 'l' ? 1 : 0;
    normal += id[0] == 'n' ? 1 : 0;
    const int turns = i / (FairQueue::kMostPassed + 3);
    ASSERT_GE(low, std::min(5, turns));
    ASSERT_GE(normal, std::min(5, turns));
  }
}

TEST(FairQueueTest, TheFirstFewAreTheSameWithoutLookingAtAll) {
  FairQueue queue;
  for (int i = 0; i < 300; ++i) {
    FairQueueItem item = Ranked(std::to_string(i), i % 3 - 1,
                                "tenant" + std::to_string(i * i % 17));
    item.cost = 1 + i % 5;
    item.latest_start = At(i * 7 % 100);
    queue.Push(item);
  }
  const auto first = queue.Order(40);
  const auto all = queue.Order(300);
  ASSERT_EQ(all.size(), 300u);
  EXPECT_EQ(first, std::vector<std::string>(all.begin(), all.begin() + 40));
  for (const std::string& id : all) EXPECT_EQ(queue.Pop({})->id, id);
}

TEST(FairQueueTest, PassesOverModelsThatMustBeLoadedButNotForEver) {
  FairQueue queue;
  FairQueueItem other = Item("other", "t", 0);
  other.model = "b";
  queue.Push(other);
  for (int i = 0; i < 20; ++i)
    queue.Push(Item("i" + std::to_string(i), "t", 1));
  const TakeRules rules = {.preferred_models = {"a"}, .except_tenants = {}};
  int before = 0;
  while (queue.Pop(rules)->id != "other") ++before;
  EXPECT_EQ(before, FairQueue::kMaxPasses);
}

TEST(FairQueueTest, LeavesOtherModelsWhereEnoughWaitForTheirs) {
  FairQueue queue;
  TakeRules rules;
  rules.preferred_models = {"b"};
  rules.only_preferred = true;
  queue.Push(Item("a", "t", 0));
  for (int i = 0; i < 2 * FairQueue::kMaxPasses; ++i) {
    EXPECT_FALSE(queue.HasFor(rules));
    EXPECT_FALSE(queue.Pop(rules).has_value());
  }
  FairQueueItem other = Item("b", "t", 1);
  other.model = "b";
  queue.Push(other);
  EXPECT_TRUE(queue.HasFor(rules));
  EXPECT_EQ(queue.Pop(rules)->id, "b");
  rules.only_preferred = false;
  EXPECT_EQ(queue.Pop(rules)->id, "a");
}

TEST(FairQueueTest, LeavesOutTenantsThatHaveEnough) {
  FairQueue queue;
  queue.Push(Item("a", "a"));
  const TakeRules rules = {.preferred_models = {}, .except_tenants = {"a"}};
  EXPECT_FALSE(queue.HasFor(rules));
  EXPECT_FALSE(queue.Pop(rules).has_value());
  queue.Push(Item("b", "b"));
  EXPECT_TRUE(queue.HasFor(rules));
  EXPECT_EQ(queue.Pop(rules)->id, "b");
}

TEST(FairQueueTest, LeavesJobsToOthersButNotForEver) {
  FairQueue queue;
  for (int i = 0; i < 4; ++i) queue.Push(Item(std::to_string(i), "t", i));
  TakeRules leave;
  leave.leave_to_others = true;
  const auto passes = [&] {
    int count = 0;
    while (!queue.Pop(leave).has_value()) ++count;
    return count;
  };
  EXPECT_EQ(passes(), FairQueue::kMaxPasses);
  EXPECT_EQ(passes(), 0) << "nobody came for the next one either";
  EXPECT_EQ(queue.Pop({})->id, "2");
  EXPECT_EQ(passes(), FairQueue::kMaxPasses);
}

TEST(FairQueueTest, ForgetsWhatIsRemoved) {
  FairQueue queue;
  queue.Push(Item("a", "t"));
  queue.Push(Item("b", "t"));
  EXPECT_TRUE(queue.Remove("a"));
  EXPECT_FALSE(queue.Remove("a"));
  EXPECT_THAT(queue.Order(9), ElementsAre("b"));
}

}  // namespace
}  // namespace genzo
