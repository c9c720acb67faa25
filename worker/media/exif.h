#ifndef GENZO_WORKER_MEDIA_EXIF_H_
#define GENZO_WORKER_MEDIA_EXIF_H_

#include <cstddef>
#include <string>

#include "base/pictures/picture_text.h"

namespace genzo {

// What one JPEG segment holds behind its length and the mark "Exif".
inline constexpr size_t kMaxExifBytes = 65535 - 2 - 6;

// `text` as an Exif block (CIPA DC-008), from the TIFF header on: kSoftwareKey
// as the tag Software, kParametersKey as UserComment in big-endian UTF-16,
// which is what front ends of the field expect. Empty if `text` has neither.
// Has at most kMaxExifBytes; a longer comment loses its end, between
// characters. Invalid UTF-8 becomes U+FFFD. Thread-safe.
std::string ExifOf(const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_EXIF_H_
