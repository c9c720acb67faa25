#include "worker/media/canny.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

namespace genzo {
namespace {

constexpr int kChannels = 3;
// tan(22.5 degrees), and how many binary places it and its multiples have.
constexpr int kPlaces = 15;
constexpr int64_t kTan22 = 13573;

// How brightness changes at a place, in its most changing colour.
struct Change {
  int dx = 0;
  int dy = 0;
  int size() const { return std::abs(dx) + std::abs(dy); }
};

// Of every place; around them stands a border of places without any.
class Changes {
 public:
  explicit Changes(const Pixels& picture)
      : width_(picture.width),
        height_(picture.height),
        all_(static_cast<size_t>(width_ + 2) * (height_ + 2)) {
    for (int y = 0; y < height_; ++y) {
      for (int x = 0; x < width_; ++x) At(x, y) = ChangeAt(picture, x, y);
    }
  }

  // x from -1 to the width, y likewise.
  Change& At(int x, int y) {
    return all_[static_cast<size_t>(y + 1) * (width_ + 2) + x + 1];
  }

  // Whether no neighbour across the edge changes more.
  bool IsCrest(int x, int y) {
    const Change& own = At(x, y);
    const int size = own.size();
    const int64_t across = std::abs(own.dx);
    const int64_t down = int64_t{std::abs(own.dy)} << kPlaces;
    const int64_t flat = across * kTan22;
    if (down < flat) {
      return size > At(x - 1, y).size() && size >= At(x + 1, y).size();
    }
    // tan(67.5 degrees) is tan(22.5 degrees) + 2.
    if (down > flat + (across << (kPlaces + 1))) {
      return size > At(x, y - 1).size() && size >= At(x, y + 1).size();
    }
    const int side = (own.dx ^ own.dy) < 0 ? -1 : 1;
    return size > At(x - side, y - 1).size() &&
           size > At(x + side, y + 1).size();
  }

 private:
  Change ChangeAt(const Pixels& picture, int x, int y) const {
    const auto value = [&](int dx, int dy, int channel) {
      const int column = std::clamp(x + dx, 0, width_ - 1);
      const int row = std::clamp(y + dy, 0, height_ - 1);
      const size_t place =
          (static_cast<size_t>(row) * width_ + column) * kChannels + channel;
      return static_cast<int>(static_cast<uint8_t>(picture.rgb[place]));
    };
    Change largest;
    for (int c = 0; c < kChannels; ++c) {
      const Change change = {
          .dx = value(1, -1, c) + 2 * value(1, 0, c) + value(1, 1, c) -
                value(-1, -1, c) - 2 * value(-1, 0, c) - value(-1, 1, c),
          .dy = value(-1, 1, c) + 2 * value(0, 1, c) + value(1, 1, c) -
                value(-1, -1, c) - 2 * value(0, -1, c) - value(1, -1, c)};
      if (c == 0 || change.size() > largest.size()) largest = change;
    }
    return largest;
  }

  const int width_;
  const int height_;
  std::vector<Change> all_;
};

}  // namespace

Pixels CannyEdges(const Pixels& picture, int low, int high) {
  const int width = picture.width;
  const int height = picture.height;
  Changes changes(picture);
  enum class Mark : uint8_t { kNone, kPerhaps, kEdge };
  std::vector<Mark> marks(static_cast<size_t>(width) * height, Mark::kNone);
  std::vector<size_t> begun;  // edges whose neighbours are to be looked at
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int size = changes.At(x, y).size();
      if (size <= low || !changes.IsCrest(x, y)) continue;
      const size_t place = static_cast<size_t>(y) * width + x;
      marks[place] = size > high ? Mark::kEdge : Mark::kPerhaps;
      if (size > high) begun.push_back(place);
    }
  }
  while (!begun.empty()) {
    const int x = static_cast<int>(begun.back() % width);
    const int y = static_cast<int>(begun.back() / width);
    begun.pop_back();
    for (int row = std::max(0, y - 1); row <= std::min(height - 1, y + 1);
         ++row) {
      for (int column = std::max(0, x - 1);
           column <= std::min(width - 1, x + 1); ++column) {
        const size_t place = static_cast<size_t>(row) * width + column;
        if (marks[place] != Mark::kPerhaps) continue;
        marks[place] = Mark::kEdge;
        begun.push_back(place);
      }
    }
  }
  Pixels edges = {.width = width,
                  .height = height,
                  .rgb = std::string(marks.size() * kChannels, '\0')};
  for (size_t i = 0; i < marks.size(); ++i) {
    if (marks[i] != Mark::kEdge) continue;
    std::fill_n(edges.rgb.begin() + static_cast<std::ptrdiff_t>(i * kChannels),
                kChannels, '\xff');
  }
  return edges;
}

}  // namespace genzo
