#include "worker/device/thread_count.h"

#include <thread>

#include "ATen/Parallel.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(ThreadCountTest, EachThreadHasACountOfItsOwn) {
  UseThreads(3);
  std::thread([] {
    UseThreads(5);
    EXPECT_EQ(at::get_num_threads(), 5);
  }).join();
  EXPECT_EQ(at::get_num_threads(), 3);
}

TEST(ThreadCountTest, AScopeGivesTheThreadsBack) {
  UseThreads(3);
  {
    const ScopedThreads scope(2);
    EXPECT_EQ(at::get_num_threads(), 2);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
}

}  // namespace
}  // namespace genzo
