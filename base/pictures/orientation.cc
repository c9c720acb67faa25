#include "base/pictures/orientation.h"

#include <cstddef>
#include <cstdint>

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
                       value <= kMostOrientation;
    return sound ? static_cast<int>(value) : kUpright;
  }
  return kUpright;
}

}  // namespace genzo
