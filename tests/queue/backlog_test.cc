#include "queue/backlog.h"

#include "tests/queue/load_fixture.h"

namespace genzo {
namespace {

using BacklogTest = LoadFixture;

TEST_F(BacklogTest, KnowsWhichDeviceIsFreer) {
  load_.backlog().SetDevices(2);
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));
  load_.Accept("a", Demand(10), std::nullopt);
  load_.Accept("b", Demand(10), std::nullopt);
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));  // both wait
  load_.backlog().Start("a", 0, 10 * kMs);
  EXPECT_TRUE(load_.backlog().OthersAreFreer(0));
  EXPECT_FALSE(load_.backlog().OthersAreFreer(1));
  load_.backlog().Start("b", 1, 10 * kMs);
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));
  load_.backlog().StepsLeft("b", 0, 8);
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));  // nearly the same
  load_.backlog().StepsLeft("b", 0, 5);
  EXPECT_TRUE(load_.backlog().OthersAreFreer(0));
  load_.backlog().Remove("a");
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));
  EXPECT_TRUE(load_.backlog().OthersAreFreer(1));
}

TEST_F(BacklogTest, ADeviceThatIsOutIsNotFree) {
  load_.backlog().SetDevices(2);
  load_.Accept("a", Demand(10), std::nullopt);
  load_.backlog().Start("a", 0, 10 * kMs);
  load_.backlog().SetState(1, {.out = true});
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));
  load_.backlog().SetState(1, {});
  EXPECT_TRUE(load_.backlog().OthersAreFreer(0));
}

TEST_F(BacklogTest, CountsTimeNotSteps) {
  load_.backlog().SetDevices(2);
  load_.Accept("a", Demand(10), std::nullopt);
  load_.Accept("b", Demand(10), std::nullopt);
  load_.backlog().Start("a", 0, 10 * kMs);
  load_.backlog().Start("b", 1, kMs);
  EXPECT_TRUE(load_.backlog().OthersAreFreer(0)) << "1 is ten times as fast";
  EXPECT_FALSE(load_.backlog().OthersAreFreer(1));
}

TEST_F(BacklogTest, AJobThatIsPutBackIsNoDevicesWork) {
  load_.backlog().SetDevices(2);
  load_.Accept("a", Demand(10), std::nullopt);
  load_.backlog().Start("a", 0, 10 * kMs);
  load_.backlog().StepsLeft("a", 0, 4);
  load_.backlog().PutBack("a", 10);
  EXPECT_FALSE(load_.backlog().OthersAreFreer(0));
  EXPECT_FALSE(load_.backlog().Get("a")->device.has_value());
  EXPECT_EQ(StepsLeftOf(*load_.backlog().Get("a")), 10);
}

TEST_F(BacklogTest, ASnapshotHoldsThoseThatMustStartFirst) {
  for (int i = 0; i < 9; ++i) {
    JobDemand demand = Demand(5);
    demand.deadline = absl::UnixEpoch() + absl::Seconds(9 - i);
    load_.Accept(std::to_string(i), demand, std::nullopt);
  }
  load_.backlog().Start("0", 0, kMs);
  std::set<std::string> ids;
  for (const BacklogJob& job : load_.backlog().Snapshot(2).jobs) {
    ids.insert(job.id);
  }
  // All are due sooner than that by what they take alone, but for patience.
  EXPECT_EQ(ids.size(), 3u);
  EXPECT_EQ(ids.count("0"), 1u) << "it has started";
}

TEST_F(BacklogTest, CountsWhatWaitsAndWhatWasStarted) {
  load_.Accept("a", Demand(5), std::nullopt);
  load_.Accept("b", Demand(5), std::nullopt);
  load_.backlog().Start("a", 0, kMs);
  EXPECT_EQ(load_.backlog().size(), 2u);
  load_.backlog().Remove("a");
  EXPECT_EQ(load_.backlog().size(), 1u);
}

TEST_F(BacklogTest, UnknownJobsAreIgnored) {
  load_.backlog().Start("x", 0, kMs);
  load_.backlog().StepsLeft("x", 7, 1);
  load_.backlog().PutBack("x", 3);
  load_.backlog().Remove("x");
  EXPECT_FALSE(load_.backlog().Get("x").has_value());
  EXPECT_TRUE(load_.backlog().Snapshot(9).jobs.empty());
}

}  // namespace
}  // namespace genzo
