#include "worker/media/orientation.h"

#include <cstring>

namespace genzo {
namespace {

constexpr int kUpright = 1;

// Where a pixel of the upright picture comes from: x and y are exchanged
// first, then either is counted from the other end.
struct Turn {
  bool exchange;
  bool flip_x;
  bool flip_y;
};

constexpr Turn kTurns[] = {
    {false, false, false},  // 1
    {false, true, false},   // 2: mirrored
    {false, true, true},    // 3: upside down
    {false, false, true},   // 4: upside down and mirrored
    {true, false, false},   // 5: as 6 and mirrored
    {true, false, true},    // 6: to be turned right by a quarter
    {true, true, true},     // 7: as 8 and mirrored
    {true, true, false},    // 8: to be turned left by a quarter
};

}  // namespace

Pixels Upright(Pixels pixels, int orientation) {
  if (orientation == kUpright) return pixels;
  const Turn turn = kTurns[orientation - 1];
  Pixels upright{.width = turn.exchange ? pixels.height : pixels.width,
                 .height = turn.exchange ? pixels.width : pixels.height,
                 .rgb = std::string(pixels.rgb.size(), '\0')};
  char* to = upright.rgb.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x, to += 3) {
      const int across = turn.exchange ? y : x;
      const int down = turn.exchange ? x : y;
      const int from_x = turn.flip_x ? pixels.width - 1 - across : across;
      const int from_y = turn.flip_y ? pixels.height - 1 - down : down;
      const size_t from = size_t{3} * from_y * pixels.width + 3 * from_x;
      std::memcpy(to, pixels.rgb.data() + from, 3);
    }
  }
  return upright;
}

}  // namespace genzo
