#include "worker/media/orientation.h"

#include <cstdint>
#include <cstring>

namespace genzo {
namespace {

using std::string_view_literals::operator""sv;

constexpr int kUpright = 1;
constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kShort = 3;
constexpr size_t kEntryBytes = 12;

// Whole numbers in a TIFF file's order of bytes. 0 beyond the end.
class TiffReader {
 public:
  explicit TiffReader(std::string_view tiff)
      : tiff_(tiff), little_endian_(tiff.substr(0, 2) == "II") {}

  uint32_t Number(size_t place, size_t size) const {
    if (place > tiff_.size() || size > tiff_.size() - place) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) {
      const size_t at = place + (little_endian_ ? size - 1 - i : i);
      value = value << 8 | static_cast<unsigned char>(tiff_[at]);
    }
    return value;
  }

 private:
  const std::string_view tiff_;
  const bool little_endian_;
};

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

int OrientationIn(std::string_view exif) {
  constexpr auto kMark = "Exif\0\0"sv;
  if (exif.substr(0, kMark.size()) == kMark) exif.remove_prefix(kMark.size());
  const std::string_view order = exif.substr(0, 4);
  if (order != "II*\0"sv && order != "MM\0*"sv) return kUpright;
  // TIFF 6.0, section 2: a count, then entries of tag, type, count and value.
  const TiffReader tiff(exif);
  const size_t directory = tiff.Number(4, 4);
  const size_t entries = tiff.Number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (tiff.Number(entry, 2) != kOrientationTag) continue;
    const uint32_t value = tiff.Number(entry + 8, 2);
    const bool sound = tiff.Number(entry + 2, 2) == kShort && value >= 1 &&
                       value <= std::size(kTurns);
    return sound ? static_cast<int>(value) : kUpright;
  }
  return kUpright;
}

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
