#include "tools/bench/load.h"

#include <algorithm>
#include <atomic>
#include <set>
#include <sstream>

#include "absl/synchronization/notification.h"
#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/tools/bench/fake_server.h"
#include "tools/bench/slot_release.h"

namespace genzo {
namespace {

using absl::Milliseconds;
using absl::Seconds;
using ::testing::HasSubstr;

// What the loads under test need.
class LoadTest : public ::testing::Test {
 protected:
  Load MakeLoad(FakeServer& server, absl::Duration grace = Seconds(30)) {
    return Load(server.stub(), grace, progress_, Clock::Real());
  }

  static CallPlan Plan(int index) { return {.index = index}; }
  static ClosedLoop Loop(int clients, int requests) {
    return {.clients = clients,
            .horizon = {.duration = {}, .requests = requests},
            .plan = &LoadTest::Plan};
  }

  std::ostringstream shown_;
  ProgressLine progress_{shown_, /*terminal=*/false, Clock::Real()};
};

TEST_F(LoadTest, OpenLoopSendsEveryCallWhenItIsDue) {
  FakeServer server(&FakeServer::Paint);
  std::vector<TimedCall> calls;
  for (int i = 0; i < 20; ++i) calls.push_back({Milliseconds(5 * i), Plan(i)});
  progress_.Begin("open");
  const LoadResult result = MakeLoad(server).RunOpen(calls);
  EXPECT_GE(result.window, Milliseconds(95));
  std::set<int> indices;
  for (const Measurement& call : result.measurements) {
    EXPECT_TRUE(call.succeeded());
    EXPECT_TRUE(call.first_step.has_value());
    indices.insert(call.index);
  }
  EXPECT_EQ(indices.size(), 20u);
  EXPECT_THAT(shown_.str(), HasSubstr("open: 20 calls in "));
}

TEST_F(LoadTest, ManyCallsAreInFlightAtOnce) {
  std::atomic<int> arrived = 0;
  absl::Notification all_arrived;
  FakeServer server([&](auto& context, auto& request, auto& writer) {
    if (++arrived == 100) all_arrived.Notify();
    all_arrived.WaitForNotification();
    return FakeServer::Paint(context, request, writer);
  });
  const LoadResult result =
      MakeLoad(server).RunOpen(std::vector<TimedCall>(100));
  EXPECT_EQ(result.measurements.size(), 100u);
}

TEST_F(LoadTest, ClosedLoopHasOneCallAClient) {
  std::atomic<int> in_flight = 0;
  std::atomic<int> most = 0;
  FakeServer server([&](auto& context, auto& request, auto& writer) {
    const int now = ++in_flight;
    for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);)
      ;
    --in_flight;
    return FakeServer::Paint(context, request, writer);
  });
  const LoadResult result =
      MakeLoad(server).RunClosed(Loop(/*clients=*/3, /*requests=*/30));
  EXPECT_EQ(result.measurements.size(), 30u);
  EXPECT_LE(most, 3);
}

TEST_F(LoadTest, ClosedLoopEndsWithItsDuration) {
  FakeServer server(&FakeServer::Paint);
  const LoadResult result =
      MakeLoad(server).RunClosed({.clients = 2,
                                  .horizon = {.duration = Milliseconds(50)},
                                  .plan = &LoadTest::Plan});
  EXPECT_GE(result.measurements.size(), 2u);
  EXPECT_GE(result.window, Milliseconds(50));
}

TEST_F(LoadTest, ARefusedClientStaysAway) {
  const std::string details =
      ToRpcStatus(RetryLaterError("QUEUE_FULL", "full", Seconds(1)))
          .SerializeAsString();
  FakeServer server([&](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "full", details);
  });
  const LoadResult result =
      MakeLoad(server).RunClosed(Loop(/*clients=*/2, /*requests=*/30));
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].outcome(), "QUEUE_FULL");
  EXPECT_FALSE(result.server_gone);
}

TEST_F(LoadTest, CancelsAtTheStepThatIsPlannedAndGoesOn) {
  FakeServer server(&FakeServer::StepForever);
  ClosedLoop loop = Loop(/*clients=*/1, /*requests=*/3);
  loop.plan = [](int index) {
    return CallPlan{.index = index, .cancel_at_step = 2};
  };
  const LoadResult result = MakeLoad(server).RunClosed(loop);
  ASSERT_EQ(result.measurements.size(), 3u);
  for (const Measurement& call : result.measurements) {
    EXPECT_EQ(call.outcome(), "CANCELLED");
  }
}

TEST_F(LoadTest, ADeadlineEndsACall) {
  FakeServer server(&FakeServer::StepForever);
  const LoadResult result = MakeLoad(server).RunOpen(
      {{Milliseconds(1), CallPlan{.deadline = Milliseconds(100)}}});
  ASSERT_EQ(result.measurements.size(), 1u);
  EXPECT_EQ(result.measurements[0].outcome(), "DEADLINE_EXCEEDED");
  EXPECT_GE(result.measurements[0].total, Milliseconds(90));
}

TEST_F(LoadTest, GivesUpCallsThatAreSilent) {
  absl::Notification released;
  FakeServer server([&](auto&, auto&, auto&) {
    released.WaitForNotification();
    return grpc::Status::OK;
  });
  const LoadResult result = MakeLoad(server, /*grace=*/Milliseconds(100))
                                .RunOpen(std::vector<TimedCall>(2));
  released.Notify();
  ASSERT_EQ(result.measurements.size(), 2u);
  EXPECT_EQ(result.measurements[0].outcome(), "HUNG");
  EXPECT_EQ(result.measurements[1].outcome(), "HUNG");
}

TEST_F(LoadTest, StopsWhenTheServerGoesAway) {
  FakeServer server([&](auto&, auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  });
  const LoadResult result = MakeLoad(server).RunOpen(
      {{}, {Seconds(100), Plan(1)}, {Seconds(200), Plan(2)}});
  EXPECT_TRUE(result.server_gone);
  EXPECT_EQ(result.measurements.size(), 1u);
  EXPECT_EQ(result.unsent, 2);
}

TEST_F(LoadTest, NamesTheTenant) {
  FakeServer server([&](auto& context, auto& request, auto& writer) {
    const auto& metadata = context.client_metadata();
    const auto tenant = metadata.find("x-genzo-tenant");
    if (tenant == metadata.end() || tenant->second != "light-1") {
      return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no tenant");
    }
    return FakeServer::Paint(context, request, writer);
  });
  const LoadResult result =
      MakeLoad(server).RunOpen({{{}, CallPlan{.tenant = "light-1"}}});
  ASSERT_EQ(result.measurements.size(), 1u);
  EXPECT_EQ(result.measurements[0].outcome(), "OK");
  EXPECT_EQ(result.measurements[0].tenant, "light-1");
}

TEST(SlotReleaseTest, WaitsForEachSlot) {
  std::atomic<int> running = 0;
  FakeServer server([&](auto& context, auto& request, auto& writer) {
    ++running;
    const grpc::Status status =
        FakeServer::StepForever(context, request, writer);
    --running;
    return status;
  });
  const auto seconds = MeasureSlotReleases(
      server.stub(), std::vector<CallPlan>(3),
      [&] { return absl::StrCat("genzo_jobs_running ", running.load(), "\n"); },
      Seconds(30), Clock::Real());
  ASSERT_THAT(seconds, IsOk());
  EXPECT_EQ(seconds->size(), 3u);
}

TEST(SlotReleaseTest, SaysWhatIsWrongWithThePage) {
  FakeServer server(&FakeServer::StepForever);
  const auto seconds = MeasureSlotReleases(
      server.stub(), std::vector<CallPlan>(1), [] { return std::string(); },
      Seconds(30), Clock::Real());
  EXPECT_THAT(seconds,
              StatusIs(absl::StatusCode::kNotFound, "genzo_jobs_running"));
}

TEST(SlotReleaseTest, FailsWhenACallEndsByItself) {
  FakeServer server([](auto&, auto&, auto&) { return grpc::Status::OK; });
  const auto seconds = MeasureSlotReleases(
      server.stub(), std::vector<CallPlan>(1), [] { return std::string(); },
      Seconds(30), Clock::Real());
  EXPECT_THAT(seconds,
              StatusIs(absl::StatusCode::kUnavailable, "did not paint"));
}

}  // namespace
}  // namespace genzo
