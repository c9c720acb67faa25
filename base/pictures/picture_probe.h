#ifndef GENZO_BASE_PICTURES_PICTURE_PROBE_H_
#define GENZO_BASE_PICTURES_PICTURE_PROBE_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace genzo {

// What a picture's file says of itself before its data.
struct PictureHeader {
  const char* format = "";  // "PNG", "JPEG" or "WebP"
  // As stored, at least 1. A picture that its Exif turns on its side is shown
  // with the two exchanged.
  int width = 0;
  int height = 0;
};

// Reads the header alone, whatever the size of the picture: what it takes in
// time and memory is bounded by the file's bytes. The format is told by the
// file's first bytes. INVALID_ARGUMENT for what is none of the formats, for a
// broken header and for animations. Safe on any bytes. Thread-safe.
absl::StatusOr<PictureHeader> ProbePicture(std::string_view file);

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PICTURE_PROBE_H_
