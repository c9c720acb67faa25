#include "server/event_pump.h"

#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

TEST(EventPumpTest, RunsWorkInOrderOnItsOwnThread) {
  std::vector<int> ran;
  std::thread::id thread;
  absl::Notification done;
  EventPump pump;
  pump.Add([&] { ran.push_back(1); });
  pump.Add([&] { ran.push_back(2); });
  pump.Add([&] {
    thread = std::this_thread::get_id();
    done.Notify();
  });
  done.WaitForNotification();
  EXPECT_THAT(ran, ElementsAre(1, 2));
  EXPECT_NE(thread, std::this_thread::get_id());
}

TEST(EventPumpTest, RunsWhatWasAddedBeforeItsEnd) {
  std::vector<int> ran;
  absl::Notification go_on;
  {
    EventPump pump;
    pump.Add([&] { go_on.WaitForNotification(); });
    pump.Add([&] { ran.push_back(1); });
    go_on.Notify();
  }
  EXPECT_THAT(ran, ElementsAre(1));
}

}  // namespace
}  // namespace genzo
