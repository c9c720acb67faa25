#include "tools/bench/picture_comparison.h"

#include <algorithm>
#include <cstdlib>

#include "client/picture_reader.h"

namespace genzo {
namespace {

int LargestDifference(const std::string& png_a, const std::string& png_b) {
  if (png_a == png_b) return 0;
  const auto a = ReadPicture(png_a);
  const auto b = ReadPicture(png_b);
  if (!a.ok() || !b.ok() || a->width != b->width || a->height != b->height) {
    return 255;
  }
  int largest = 0;
  for (size_t i = 0; i < a->rgb.size(); ++i) {
    const int difference = static_cast<unsigned char>(a->rgb[i]) -
                           static_cast<unsigned char>(b->rgb[i]);
    largest = std::max(largest, std::abs(difference));
  }
  return largest;
}

}  // namespace

std::optional<double> PictureComparison::IdenticalShare() const {
  if (compared == 0) return std::nullopt;
  return static_cast<double>(identical) / compared;
}

PictureComparison Compare(const PicturesByIndex& a, const PicturesByIndex& b) {
  PictureComparison comparison;
  for (const auto& [index, png] : a) {
    const auto other = b.find(index);
    if (other == b.end()) continue;
    const int difference = LargestDifference(png, other->second);
    ++comparison.compared;
    comparison.identical += difference == 0 ? 1 : 0;
    comparison.largest_difference =
        std::max(comparison.largest_difference, difference);
  }
  return comparison;
}

}  // namespace genzo
