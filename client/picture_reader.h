#ifndef GENZO_CLIENT_PICTURE_READER_H_
#define GENZO_CLIENT_PICTURE_READER_H_

#include <string>

#include "absl/status/statusor.h"

namespace genzo {

// An uncompressed picture: rows from the top, three bytes RGB a pixel.
struct RgbImage {
  int width = 0;
  int height = 0;
  std::string rgb;
};

// Decodes a PNG or JPEG file. INVALID_ARGUMENT if it is neither or has a side
// over 8192.
absl::StatusOr<RgbImage> ReadPicture(const std::string& file);

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_READER_H_
