#include "client/terminal_art.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

struct Color {
  int r, g, b;
};

struct Size {
  int columns;
  int rows;
};

Size ArtSize(const RgbImage& image, int columns, int rows) {
  // A character is about twice as high as wide, so a half block is square.
  const double scale = std::min(
      {static_cast<double>(columns) / image.width, 2.0 * rows / image.height});
  return {std::max(1, static_cast<int>(image.width * scale)),
          std::max(1, static_cast<int>(image.height * scale / 2))};
}

// Mean colour of the pixels that fall into cell (x, y) of a grid.
Color CellColor(const RgbImage& image, int x, int y, const Size& grid) {
  const int left = x * image.width / grid.columns;
  const int top = y * image.height / grid.rows;
  const int right = std::max(left + 1, (x + 1) * image.width / grid.columns);
  const int bottom = std::max(top + 1, (y + 1) * image.height / grid.rows);
  long sum[3] = {0, 0, 0};
  for (int row = top; row < bottom; ++row) {
    for (int column = left; column < right; ++column) {
      const size_t place =
          3 * (static_cast<size_t>(row) * image.width + column);
      for (int c = 0; c < 3; ++c) {
        sum[c] += static_cast<unsigned char>(image.rgb[place + c]);
      }
    }
  }
  const long count = static_cast<long>(right - left) * (bottom - top);
  return {static_cast<int>(sum[0] / count), static_cast<int>(sum[1] / count),
          static_cast<int>(sum[2] / count)};
}

std::string ColorCode(const Color& color, bool background, ColorDepth depth) {
  const int base = background ? 48 : 38;
  if (depth == ColorDepth::kTrueColor) {
    return absl::StrCat("\x1b[", base, ";2;", color.r, ";", color.g, ";",
                        color.b, "m");
  }
  const auto level = [](int value) { return (value * 5 + 127) / 255; };
  const int cube =
      16 + 36 * level(color.r) + 6 * level(color.g) + level(color.b);
  return absl::StrCat("\x1b[", base, ";5;", cube, "m");
}

}  // namespace

std::vector<std::string> HalfBlockArt(const RgbImage& image, int columns,
                                      int rows, ColorDepth depth) {
  const Size size = ArtSize(image, columns, rows);
  const Size grid = {size.columns, 2 * size.rows};
  std::vector<std::string> lines;
  for (int row = 0; row < size.rows; ++row) {
    std::string line;
    for (int column = 0; column < size.columns; ++column) {
      absl::StrAppend(
          &line,
          ColorCode(CellColor(image, column, 2 * row, grid), false, depth),
          ColorCode(CellColor(image, column, 2 * row + 1, grid), true, depth),
          "\u2580");
    }
    lines.push_back(absl::StrCat(line, "\x1b[0m"));
  }
  return lines;
}

}  // namespace genzo
