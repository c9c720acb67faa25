#ifndef GENZO_BASE_PICTURES_ORIENTATION_H_
#define GENZO_BASE_PICTURES_ORIENTATION_H_

#include <string_view>

namespace genzo {

inline constexpr int kMostOrientation = 8;

// How a camera was held, as Exif tells it (CIPA DC-008, tag 0x0112): 1 is
// upright, 6 is to be turned right by a quarter to be upright, 2, 4, 5 and 7
// are mirrored. 1 also if `exif`, from the TIFF header on or from the mark
// "Exif" on, does not say or cannot be read. Safe on any bytes. Thread-safe.
int OrientationIn(std::string_view exif);

// Whether a picture of that orientation is stored on its side.
constexpr bool IsOnItsSide(int orientation) { return orientation >= 5; }

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_ORIENTATION_H_
