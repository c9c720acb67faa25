#include "worker/device/core_wait.h"

#include <atomic>
#include <filesystem>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "worker/threads/available_cores.h"

namespace genzo {
namespace {

TEST(CoreWaitTest, CountsWhatThreadsWaitForEachOthersCores) {
  if (!std::filesystem::exists("/proc/self/schedstat")) {
    GTEST_SKIP() << "this system does not count it";
  }
  const absl::Duration before = CoreWait();
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2 * AvailableCores(); ++i) {
    threads.emplace_back([&] {
      while (!stop) {
      }
    });
  }
  // Every second one waits: sooner or later it has, however busy the machine.
  while (CoreWait() - before < absl::Milliseconds(10)) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace genzo
