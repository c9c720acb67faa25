#ifndef GENZO_TESTS_TESTING_PICTURES_H_
#define GENZO_TESTS_TESTING_PICTURES_H_

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "client/picture_reader.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

inline bool IsProgress(const v1::JobEvent& event) {
  return event.has_progress();
}

// The file of the first finished image; empty if there is none.
inline std::string PictureOf(const std::vector<v1::JobEvent>& events) {
  for (const v1::JobEvent& event : events) {
    if (event.has_image()) return event.image().picture().data();
  }
  return "";
}

// Of any decoded byte; 256 for files that cannot be compared.
inline int LargestDifference(const std::string& file_a,
                             const std::string& file_b) {
  const auto a = ReadPicture(file_a);
  const auto b = ReadPicture(file_b);
  if (!a.ok() || !b.ok() || a->rgb.size() != b->rgb.size()) return 256;
  int largest = 0;
  for (size_t i = 0; i < a->rgb.size(); ++i) {
    largest =
        std::max(largest, std::abs(static_cast<unsigned char>(a->rgb[i]) -
                                   static_cast<unsigned char>(b->rgb[i])));
  }
  return largest;
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_PICTURES_H_
