#include "base/folder_lock.h"

#include <atomic>
#include <thread>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

TEST(FolderLockTest, OneHasIt) {
  const TestFolder folder;
  {
    const auto first = FolderLock::Try(folder.path());
    EXPECT_THAT(first, IsOk());
    EXPECT_THAT(
        FolderLock::Try(folder.path()),
        StatusIs(absl::StatusCode::kUnavailable, folder.path() + " is in use"));
  }
  EXPECT_THAT(FolderLock::Try(folder.path()), IsOk());
}

TEST(FolderLockTest, TheNextWaitsForIt) {
  const TestFolder folder;
  std::atomic<bool> released{false};
  std::thread next;
  {
    const FolderLock first = FolderLock::Await(folder.path());
    next = std::thread([&] {
      const FolderLock second = FolderLock::Await(folder.path());
      EXPECT_TRUE(released);
    });
    released = true;
  }
  next.join();
}

TEST(FolderLockTest, AFolderThatIsNoneIsNotLocked) {
  EXPECT_THAT(FolderLock::Try("/nowhere"), IsOk());
  EXPECT_THAT(FolderLock::Try("/nowhere"), IsOk());
}

TEST(FolderLockTest, MovesOn) {
  const TestFolder folder;
  FolderLock first = FolderLock::Await(folder.path());
  const FolderLock moved = std::move(first);
  EXPECT_EQ(FolderLock::Try(folder.path()).ok(), false);
}

}  // namespace
}  // namespace genzo
