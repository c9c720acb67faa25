#ifndef GENZO_WORKER_MEDIA_ORIENTATION_H_
#define GENZO_WORKER_MEDIA_ORIENTATION_H_

#include <string_view>

#include "worker/media/pixels.h"

namespace genzo {

// How a camera was held, as Exif tells it (CIPA DC-008, tag 0x0112): 1 is
// upright, 6 is to be turned right by a quarter to be upright, 2, 4, 5 and 7
// are mirrored. 1 also if `exif`, from the TIFF header on or from the mark
// "Exif" on, does not say or cannot be read. Safe on any bytes. Thread-safe.
int OrientationIn(std::string_view exif);

// The picture as it is to be looked at; `orientation` is 1 to 8. Thread-safe.
Pixels Upright(Pixels pixels, int orientation);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_ORIENTATION_H_
