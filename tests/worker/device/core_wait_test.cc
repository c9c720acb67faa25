#include "worker/device/core_wait.h"

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

// The second number of each thread's file, nanoseconds, together.
absl::Duration Waited() {
  int64_t all = 0;
  for (const auto& thread :
       std::filesystem::directory_iterator("/proc/self/task")) {
    int64_t ran = 0;
    int64_t waited = 0;
    std::ifstream(thread.path() / "schedstat") >> ran >> waited;
    all += waited;
  }
  return absl::Nanoseconds(all);
}

// Nobody ends meanwhile, so the sum only grows.
TEST(CoreWaitTest, IsTheSumOfWhatAllThreadsWaited) {
  constexpr int kThreads = 8;
  absl::BlockingCounter begun(kThreads);
  absl::Notification end;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      begun.DecrementCount();
      end.WaitForNotification();
    });
  }
  begun.Wait();
  const absl::Duration before = Waited();
  const absl::Duration said = CoreWait();
  const absl::Duration after = Waited();
  end.Notify();
  for (std::thread& thread : threads) thread.join();
  if (before == absl::ZeroDuration()) {
    GTEST_SKIP() << "this system does not count it";
  }
  EXPECT_GE(said, before);
  EXPECT_LE(said, after);
}

}  // namespace
}  // namespace genzo
