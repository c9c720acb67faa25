#include "worker/media/orientation.h"

#include "base/pictures/orientation.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using std::string_literals::operator""s;

// "abc" over "def", a letter a pixel.
Pixels Letters() {
  Pixels pixels{.width = 3, .height = 2, .rgb = ""};
  for (const char letter : "abcdef"s) pixels.rgb += std::string(3, letter);
  return pixels;
}

std::string Turned(int orientation) {
  const Pixels upright = Upright(Letters(), orientation);
  std::string letters;
  for (size_t i = 0; i < upright.rgb.size(); i += 3) {
    if (i > 0 && i / 3 % upright.width == 0) letters += '/';
    letters += upright.rgb[i];
  }
  return letters;
}

// One directory with the orientation behind another tag.
std::string Exif(char value) {
  return "MM\0*\0\0\0\x08\0\x02"s + "\x01\x0f\0\x02\0\0\0\x01X\0\0\0"s +
         "\x01\x12\0\x03\0\0\0\x01\0"s + value + "\0\0\0\0\0\0"s;
}

TEST(OrientationTest, TurnsAndMirrors) {
  EXPECT_EQ(Turned(1), "abc/def");
  EXPECT_EQ(Turned(2), "cba/fed");
  EXPECT_EQ(Turned(3), "fed/cba");
  EXPECT_EQ(Turned(4), "def/abc");
  EXPECT_EQ(Turned(5), "ad/be/cf");
  EXPECT_EQ(Turned(6), "da/eb/fc");
  EXPECT_EQ(Turned(7), "fc/eb/da");
  EXPECT_EQ(Turned(8), "cf/be/ad");
}

TEST(OrientationTest, IsReadInBothOrdersOfBytes) {
  EXPECT_EQ(OrientationIn(Exif(6)), 6);
  EXPECT_EQ(OrientationIn("II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x08\0"
                          "\0\0\0\0\0\0"s),
            8);
}

TEST(OrientationTest, TheMarkMayStandBefore) {
  EXPECT_EQ(OrientationIn("Exif\0\0"s + Exif(3)), 3);
}

TEST(OrientationTest, IsUprightWhereNothingElseIsSaid) {
  EXPECT_EQ(OrientationIn(""), 1);
  EXPECT_EQ(OrientationIn("garbage"), 1);
  EXPECT_EQ(OrientationIn(Exif(0)), 1);
  EXPECT_EQ(OrientationIn(Exif(9)), 1);
  EXPECT_EQ(OrientationIn("MM\0*\xff\xff\xff\xff"s), 1) << "far beyond the end";
  for (size_t size = 0; size < 32; ++size) {
    EXPECT_EQ(OrientationIn(Exif(6).substr(0, size)), 1) << size;
  }
}

}  // namespace
}  // namespace genzo
