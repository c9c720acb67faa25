#include "worker/weights/regular_file.h"

#include <sys/stat.h>

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

TEST(RegularFileTest, ReadsFromTheMiddle) {
  const TestFolder folder;
  const auto file = RegularFile::Open(folder.Write("a", "0123456789"));
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->size_bytes(), 10u);
  std::string bytes(4, '\0');
  EXPECT_THAT((*file)->ReadAt(3, absl::MakeSpan(bytes)), IsOk());
  EXPECT_EQ(bytes, "3456");
}

TEST(RegularFileTest, NothingThatCouldBlockIsOpened) {
  const TestFolder folder;
  const std::string pipe = folder.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const std::string& path :
       {pipe, folder.path(), std::string("/dev/zero")}) {
    EXPECT_THAT(RegularFile::Open(path),
                StatusIs(kInvalid, path + ": is not a regular file"));
  }
}

TEST(RegularFileTest, AMissingFileIsNamed) {
  EXPECT_THAT(RegularFile::Open("/nowhere"),
              StatusIs(absl::StatusCode::kNotFound, "/nowhere"));
}

TEST(RegularFileTest, AFileThatShrinksIsAnError) {
  const TestFolder folder;
  const std::string path = folder.Write("a", "0123456789");
  const auto file = RegularFile::Open(path);
  std::filesystem::resize_file(path, 5);
  std::string bytes(4, '\0');
  EXPECT_THAT((*file)->ReadAt(1, absl::MakeSpan(bytes)), IsOk());
  EXPECT_THAT(
      (*file)->ReadAt(3, absl::MakeSpan(bytes)),
      StatusIs(absl::StatusCode::kDataLoss, path + ": ends at byte 5, had 10"));
}

TEST(ReadWholeFileTest, HasALimit) {
  const TestFolder folder;
  const std::string path = folder.Write("a", "0123456789");
  EXPECT_EQ(*ReadWholeFile(path, 10), "0123456789");
  EXPECT_THAT(ReadWholeFile(path, 9),
              StatusIs(kInvalid, path + ": has 10 bytes, the limit is 9"));
  EXPECT_EQ(*ReadWholeFile(folder.Write("empty", ""), 0), "");
}

}  // namespace
}  // namespace genzo
