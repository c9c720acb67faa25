#include "worker/device/thread_count.h"

#include "ATen/Parallel.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(ThreadCountTest, ACoreIsLeftToDecodingWhereNoneIsFree) {
  EXPECT_EQ(ThreadsBesideDecoding(1, 1), 1);
  EXPECT_EQ(ThreadsBesideDecoding(2, 2), 1);
  EXPECT_EQ(ThreadsBesideDecoding(16, 16), 15);
  EXPECT_EQ(ThreadsBesideDecoding(8, 16), 8);
  EXPECT_EQ(ThreadsBesideDecoding(4, 2), 1) << "more threads than cores";
}

TEST(ThreadCountTest, AScopeGivesTheThreadsBack) {
  UseThreadsHere(3);
  {
    const ScopedThreads scope(2);
    EXPECT_EQ(at::get_num_threads(), 2);
    const ScopedThreads as_it_is(0);
    EXPECT_EQ(at::get_num_threads(), 2);
  }
  EXPECT_EQ(at::get_num_threads(), 3);
}

}  // namespace
}  // namespace genzo
