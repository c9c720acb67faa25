#include "worker/media/exif.h"

#include <map>

#include "tests/testing/matchers.h"
#include "unicode/unistr.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::Key;

constexpr int kSoftware = 0x0131;
constexpr int kExifDirectory = 0x8769;
constexpr int kExifVersion = 0x9000;
constexpr int kUserComment = 0x9286;

uint32_t Number(const std::string& bytes, size_t place, int size) {
  uint32_t value = 0;
  for (int i = 0; i < size; ++i) {
    value = value << 8 | static_cast<unsigned char>(bytes.at(place + i));
  }
  return value;
}

// Values by tag of the directory at `place`, read as TIFF 6.0 says.
std::map<int, std::string> ReadDirectory(const std::string& exif,
                                         size_t place) {
  std::map<int, std::string> values;
  const uint32_t count = Number(exif, place, 2);
  for (size_t entry = place + 2; values.size() < count; entry += 12) {
    const uint32_t type = Number(exif, entry + 2, 2);
    const size_t size = Number(exif, entry + 4, 4) * (type == 4 ? 4 : 1);
    const size_t where = size <= 4 ? entry + 8 : Number(exif, entry + 8, 4);
    EXPECT_LE(where + size, exif.size());
    EXPECT_TRUE(size <= 4 || where % 2 == 0) << "values are word-aligned";
    values[static_cast<int>(Number(exif, entry, 2))] = exif.substr(where, size);
  }
  return values;
}

// Both directories.
std::map<int, std::string> Read(const std::string& exif) {
  EXPECT_EQ(exif.substr(0, 4), std::string("MM\0*", 4));
  auto values = ReadDirectory(exif, Number(exif, 4, 4));
  values.merge(ReadDirectory(exif, Number(values.at(kExifDirectory), 0, 4)));
  return values;
}

std::string CommentIn(const std::string& exif) {
  const std::string value = Read(exif).at(kUserComment);
  EXPECT_EQ(value.substr(0, 8), std::string("UNICODE\0", 8));
  icu::UnicodeString utf16(value.data() + 8,
                           static_cast<int32_t>(value.size() - 8), "UTF-16BE");
  std::string text;
  return utf16.toUTF8String(text);
}

TEST(ExifTest, TextComesBack) {
  const std::string text = "a \u72d0 \U0001F98A\nSteps: 20, Size: 64x32";
  const std::string exif =
      ExifOf({{"parameters", text}, {"Software", "Genzo"}});
  EXPECT_EQ(CommentIn(exif), text);
  EXPECT_EQ(Read(exif).at(kSoftware), std::string("Genzo\0", 6));
  EXPECT_EQ(Read(exif).at(kExifVersion), "0232");
}

TEST(ExifTest, ShortValuesStandInTheirEntries) {
  for (const std::string name : {"a", "abc", "abcd"}) {
    EXPECT_EQ(Read(ExifOf({{"Software", name}})).at(kSoftware),
              name + std::string(1, 0));
  }
}

TEST(ExifTest, HasOnlyWhatItWasGiven) {
  EXPECT_EQ(ExifOf({}), "");
  EXPECT_EQ(ExifOf({{"Author", "x"}}), "");
  EXPECT_THAT(
      Read(ExifOf({{"Software", "x"}})),
      ElementsAre(Key(kSoftware), Key(kExifDirectory), Key(kExifVersion)));
  EXPECT_THAT(
      Read(ExifOf({{"parameters", "x"}})),
      ElementsAre(Key(kExifDirectory), Key(kExifVersion), Key(kUserComment)));
}

TEST(ExifTest, CutsLongTextBetweenCharacters) {
  // A fox is two units long: where it starts is even in one, odd in the other.
  for (const std::string first : {"", "x"}) {
    std::string text = first;
    for (int i = 0; i < 20000; ++i) text += "\U0001F98A";
    text += std::string(60000, 'x');
    const std::string exif =
        ExifOf({{"parameters", text}, {"Software", std::string(9000, 'y')}});
    EXPECT_LE(exif.size(), kMaxExifBytes);
    EXPECT_GT(exif.size(), kMaxExifBytes - 1024);
    const std::string comment = CommentIn(exif);
    EXPECT_EQ(comment, text.substr(0, comment.size()));
  }
}

TEST(ExifTest, ReplacesInvalidText) {
  EXPECT_EQ(CommentIn(ExifOf({{"parameters", "a\xff z"}})), "a\ufffd z");
}

}  // namespace
}  // namespace genzo
