#ifndef GENZO_TOOLS_BENCH_PICTURE_COMPARISON_H_
#define GENZO_TOOLS_BENCH_PICTURE_COMPARISON_H_

#include <map>
#include <optional>
#include <string>

namespace genzo {

// PNG files by their requests' indices.
using PicturesByIndex = std::map<int, std::string>;

// How far pictures of the same requests agree.
struct PictureComparison {
  int compared = 0;
  int identical = 0;           // the same in every decoded byte
  int largest_difference = 0;  // of a decoded byte; 255 if sizes differ

  std::optional<double> IdenticalShare() const;
};

// Compares the pictures that both have. A file that is no PNG differs from all
// but itself.
PictureComparison Compare(const PicturesByIndex& a, const PicturesByIndex& b);

}  // namespace genzo

#endif  // GENZO_TOOLS_BENCH_PICTURE_COMPARISON_H_
