#include "base/durable_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

TEST(DurableFileTest, ReplacesWhatWasThere) {
  const TestFolder folder;
  const std::string path = folder.Write("state", "a longer text than the next");
  EXPECT_THAT(WriteDurably(path, "new"), IsOk());
  EXPECT_EQ(ReadFile(path), "new");
}

TEST(DurableFileTest, LeavesNothingUnfinished) {
  const TestFolder folder;
  EXPECT_THAT(WriteDurably(folder.path() + "/state", "x"), IsOk());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(DurableFileTest, ANewOneIsReadableByItsOwnerAlone) {
  const TestFolder folder;
  const std::string path = folder.path() + "/state";
  EXPECT_THAT(WriteDurably(path, "secret"), IsOk());
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600u);
}

// Whoever could read it still can: a server of another user, its keys.
TEST(DurableFileTest, KeepsTheRightsOfWhatItReplaces) {
  const TestFolder folder;
  const std::string path = folder.Write("keys.json", "x");
  ASSERT_EQ(chmod(path.c_str(), 0640), 0);
  const bool is_root = geteuid() == 0;
  if (is_root) {
    ASSERT_EQ(chown(path.c_str(), 65534, 65533), 0);
  }
  EXPECT_THAT(WriteDurably(path, "y"), IsOk());
  struct stat found = {};
  ASSERT_EQ(stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0640u);
  EXPECT_EQ(found.st_uid, is_root ? 65534u : geteuid());
  EXPECT_EQ(ReadFile(path), "y");
}

TEST(DurableFileTest, ReplacesWhatALinkPointsTo) {
  const TestFolder folder;
  const std::string path = folder.Write("real", "x");
  const std::string link = folder.path() + "/link";
  fs::create_symlink(path, link);
  EXPECT_THAT(WriteDurably(link, "y"), IsOk());
  EXPECT_TRUE(fs::is_symlink(link));
  EXPECT_EQ(ReadFile(path), "y");
}

TEST(DurableFileTest, KeepsBytesOfEveryKind) {
  const TestFolder folder;
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const std::string path = folder.path() + "/bytes";
  EXPECT_THAT(WriteDurably(path, bytes), IsOk());
  EXPECT_EQ(ReadFile(path), bytes);
}

TEST(DurableFileTest, NothingIsAFileToo) {
  const TestFolder folder;
  const std::string path = folder.Write("state", "x");
  EXPECT_THAT(WriteDurably(path, ""), IsOk());
  EXPECT_EQ(fs::file_size(path), 0u);
}

TEST(DurableFileTest, NamesAFolderThatIsNotThere) {
  const TestFolder folder;
  const std::string path = folder.path() + "/none/state";
  EXPECT_THAT(WriteDurably(path, "x"),
              StatusIs(absl::StatusCode::kUnavailable,
                       path + " cannot be written: No such file"));
}

TEST(DurableFileTest, AFolderInItsPlaceStays) {
  const TestFolder folder;
  folder.Write("state/inside", "x");
  const std::string path = folder.path() + "/state";
  EXPECT_THAT(WriteDurably(path, "x"),
              StatusIs(absl::StatusCode::kUnavailable, path));
  EXPECT_TRUE(fs::exists(path + "/inside"));
  EXPECT_FALSE(fs::exists(path + kUnfinishedSuffix));
}

TEST(DurableFileTest, WritesOverWhatADeadProcessLeft) {
  const TestFolder folder;
  folder.Write(std::string("state") + kUnfinishedSuffix, "half of a long text");
  const std::string path = folder.path() + "/state";
  EXPECT_THAT(WriteDurably(path, "whole"), IsOk());
  EXPECT_EQ(ReadFile(path), "whole");
}

}  // namespace
}  // namespace genzo
