#include "worker/media/canny.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

constexpr int kWidth = 16;
constexpr int kHeight = 12;

bool InDisc(int x, int y) { return (x - 8) * (x - 8) + (y - 6) * (y - 6) < 16; }

template <typename Colour>
Pixels Paint(const Colour& colour) {
  Pixels pixels = {.width = kWidth, .height = kHeight, .rgb = {}};
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        pixels.rgb += static_cast<char>(colour(x, y, channel));
      }
    }
  }
  return pixels;
}

// Channels that change in places of their own.
Pixels Busy() {
  return Paint([](int x, int y, int channel) {
    switch (channel) {
      case 0:
        return (x * x + 3 * y * y * x) % 256;
      case 1:
        return InDisc(x, y) ? 200 : 30;
      default:
        return x < 5 ? (37 * x + 91 * y) % 256 : 120;
    }
  });
}

// A bright disc, and a corner that is hardly brighter.
Pixels Disc() {
  return Paint([](int x, int y, int channel) {
    constexpr int kCorner[] = {60, 90, 30};
    if (InDisc(x, y)) return 200;
    return x + 2 * y < 8 ? kCorner[channel] : 30;
  });
}

std::string Drawn(const Pixels& edges) {
  std::string text;
  for (int i = 0; i < kWidth * kHeight; ++i) {
    if (i % kWidth == 0) text += '\n';
    const auto pixel = edges.rgb.substr(3 * static_cast<size_t>(i), 3);
    text += pixel == "\xff\xff\xff"             ? '#'
            : pixel == std::string("\0\0\0", 3) ? '.'
                                                : '?';
  }
  return text;
}

// What cv2.Canny(picture, 100, 200) of OpenCV 5.0.0 draws, and so below.
TEST(CannyTest, DrawsWhatOpenCvDraws) {
  EXPECT_EQ(Drawn(CannyEdges(Busy(), 100, 200)), R"(
.####......#...#
#..#.........###
...#...###......
..##.##...##..#.
#.#..#.....#..#.
.##.#......#....
.#.##......#...#
#...#......#...#
.##..#.....#..##
.#...##...##.#..
.#...#.#####.##.
.##.............)");
}

TEST(CannyTest, HigherThresholdsLeaveWeakEdgesOut) {
  EXPECT_EQ(Drawn(CannyEdges(Busy(), 300, 900)), R"(
.####...........
#..#............
...#...###......
..##.##...##....
#.#..#.....#....
.##.#......#....
.#.##......#....
#...#......#....
.##..#.....#....
.#...##...##....
.#...#.#####....
.##.............)");
}

TEST(CannyTest, AWeakEdgeStaysWhereItGoesOnFromAStrongOne) {
  EXPECT_EQ(Drawn(CannyEdges(Disc(), 100, 200)), R"(
.......#........
................
...#...###......
###..##...##....
.....#.....#....
....#......#....
....#......#....
....#......#....
.....#.....#....
.....#######....
................
................)");
  EXPECT_EQ(Drawn(CannyEdges(Disc(), 50, 600)), R"(
................
................
.......###......
.....##...##....
.....#.....#....
....#......#....
....#......#....
....#......#....
.....#.....#....
.....#######....
................
................)");
}

TEST(CannyTest, OnePixelHasNoEdge) {
  const Pixels edges =
      CannyEdges({.width = 1, .height = 1, .rgb = "abc"}, 0, 0);
  EXPECT_EQ(edges.width, 1);
  EXPECT_EQ(edges.height, 1);
  EXPECT_EQ(edges.rgb, std::string(3, '\0'));
}

}  // namespace
}  // namespace genzo
