#include "base/work_thread.h"

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

TEST(WorkThreadTest, RunsWorkInOrderOnItsOwnThread) {
  std::vector<int> ran;
  std::thread::id id;
  absl::Notification done;
  WorkThread thread;
  thread.Add([&] { ran.push_back(1); });
  thread.Add([&] { ran.push_back(2); });
  thread.Add([&] {
    id = std::this_thread::get_id();
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_THAT(ran, ElementsAre(1, 2));
  EXPECT_NE(id, std::this_thread::get_id());
}

TEST(WorkThreadTest, RunsWhatWasAddedBeforeItsEnd) {
  std::vector<int> ran;
  absl::Notification go_on;
  {
    WorkThread thread;
    thread.Add([&] { go_on.WaitForNotification(); });
    thread.Add([&] { ran.push_back(1); });
    go_on.Notify();
  }
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST(WorkThreadTest, RunsWhatWorkAddsBeforeItsEnd) {
  std::vector<int> ran;
  absl::Notification go_on;
  {
    WorkThread thread;
    thread.Add([&] {
      go_on.WaitForNotification();
      thread.Add([&] { ran.push_back(1); });
    });
    go_on.Notify();
  }
  EXPECT_THAT(ran, ElementsAre(1));
}

TEST(WorkThreadTest, DropsWorkBeforeItRunsTheNext) {
  auto held = std::make_shared<int>(1);
  const std::weak_ptr<int> seen = held;
  bool dropped = false;
  absl::Notification go_on;
  {
    WorkThread thread;
    thread.Add([&] { go_on.WaitForNotification(); });
    thread.Add([held] {});
    thread.Add([&] { dropped = seen.expired(); });
    held.reset();
    go_on.Notify();
  }
  EXPECT_TRUE(dropped);
}

TEST(WorkThreadTest, TicksThoughThereIsNoWork) {
  int ticks = 0;
  absl::Notification twice;
  WorkThread thread(
      /*tick=*/
      [&] {
        if (++ticks == 2) twice.Notify();
      },
      absl::Milliseconds(1));
  twice.WaitForNotification();
}

TEST(WorkThreadTest, DoesNotTickBeforeTheFirstPeriod) {
  bool ticked = false;
  {
    WorkThread thread(/*tick=*/[&] { ticked = true; }, absl::Hours(1));
    thread.Add([] {});
  }
  EXPECT_FALSE(ticked);
}

}  // namespace
}  // namespace genzo
