#include "base/watched_folders.h"

#include <unistd.h>

#include <filesystem>

#include "gmock/gmock.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WatchedFoldersTest : public ::testing::Test {
 protected:
  WatchedFoldersTest() { fs::create_directories(words_); }

  // Names of what a look finds.
  static std::vector<std::string> Names(WatchedFolders& folders) {
    std::vector<std::string> names;
    for (const auto& entry : folders.Look()) {
      names.push_back(fs::path(entry.path).filename().string());
    }
    return names;
  }
  WatchedFolders Watch(WatchedFolders::Depth depth) const {
    return WatchedFolders(
        "words", {words_},
        [](const fs::path& path) {
          return HasEnding(path, {".txt", ".md"});
        },
        depth);
  }

  const TestFolder folder_;
  const std::string words_ = folder_.path() + "/words";
};

TEST_F(WatchedFoldersTest, ListsWhatIsAnEntryByName) {
  folder_.Write("words/b.txt", "b");
  folder_.Write("words/a.md", "a");
  folder_.Write("words/c.png", "c");
  fs::create_directory(words_ + "/below");
  folder_.Write("words/below/d.txt", "d");
  auto flat = Watch(WatchedFolders::Depth::kFlat);
  EXPECT_THAT(Names(flat), ElementsAre("a.md", "b.txt"));
  auto all = Watch(WatchedFolders::Depth::kAllBelow);
  EXPECT_THAT(Names(all), ElementsAre("a.md", "b.txt", "d.txt"));
}

TEST_F(WatchedFoldersTest, WhatIsWrittenOnHasAnotherStampAndId) {
  auto folders = Watch(WatchedFolders::Depth::kFlat);
  folder_.Write("words/a.txt", "half");
  const auto half = folders.Look();
  EXPECT_EQ(folders.Look(), half);
  folder_.Write("words/a.txt", "half and the rest");
  const auto whole = folders.Look();
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0].path, half[0].path);
  EXPECT_NE(whole[0].stamp, half[0].stamp);
  EXPECT_NE(whole[0].id(), half[0].id());
}

TEST_F(WatchedFoldersTest, AFolderThatCannotBeReadKeepsWhatItHad) {
  folder_.Write("words/a.txt", "a");
  auto folders = Watch(WatchedFolders::Depth::kFlat);
  EXPECT_THAT(Names(folders), ElementsAre("a.txt"));
  fs::rename(words_, words_ + "-away");
  folder_.Write("words", "no folder: it cannot be read");
  EXPECT_THAT(Names(folders), ElementsAre("a.txt"));
  fs::remove(words_);
  EXPECT_THAT(Names(folders), IsEmpty()) << "it is not there";
  fs::rename(words_ + "-away", words_);
  EXPECT_THAT(Names(folders), ElementsAre("a.txt"));
}

TEST_F(WatchedFoldersTest, AFolderBelowThatIsClosedIsLeftOut) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read all";
  folder_.Write("words/a.txt", "a");
  folder_.Write("words/closed/b.txt", "b");
  folder_.Write("words/open/c.txt", "c");
  auto folders = Watch(WatchedFolders::Depth::kAllBelow);
  fs::permissions(words_ + "/closed", fs::perms::none);
  const auto names = Names(folders);
  fs::permissions(words_ + "/closed", fs::perms::owner_all);
  EXPECT_THAT(names, ElementsAre("a.txt", "c.txt"));
}

TEST_F(WatchedFoldersTest, AFolderBelowThatGoesWhileItIsReadHidesNothing) {
  folder_.Write("words/a.txt", "a");
  folder_.Write("words/below/b.txt", "b");
  bool goes = false;
  WatchedFolders folders(
      "words", {words_},
      [&](const fs::path& path) {
        if (goes && path.filename() == "below") fs::remove_all(path);
        return HasEnding(path, {".txt"});
      },
      WatchedFolders::Depth::kAllBelow);
  EXPECT_THAT(Names(folders), ElementsAre("a.txt", "b.txt"));
  goes = true;
  // Cut short, the look tells nothing.
  EXPECT_THAT(Names(folders), ElementsAre("a.txt", "b.txt"));
  EXPECT_THAT(Names(folders), ElementsAre("a.txt"));
}

}  // namespace
}  // namespace genzo
