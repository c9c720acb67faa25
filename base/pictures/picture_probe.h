#ifndef GENZO_BASE_PICTURES_PICTURE_PROBE_H_
#define GENZO_BASE_PICTURES_PICTURE_PROBE_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace genzo {

// What a picture's file says of itself before its data.
struct PictureHeader {
  const char* format = "";  // "PNG", "JPEG" or "WebP"
  // As stored, at least 1.
  int width = 0;
  int height = 0;
  // Whether its Exif turns it, so that it is shown with the two exchanged. Not
  // told of a PNG whose Exif comes behind its data.
  bool on_its_side = false;

  int shown_width() const { return on_its_side ? height : width; }
  int shown_height() const { return on_its_side ? width : height; }
};

// Reads the header alone, whatever the size of the picture: what it takes in
// time and memory is bounded by the file's bytes. The format is told by the
// file's first bytes. INVALID_ARGUMENT for what is none of the formats, for a
// broken header and for animations. Safe on any bytes. Thread-safe.
absl::StatusOr<PictureHeader> ProbePicture(std::string_view file);

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PICTURE_PROBE_H_
