#ifndef GENZO_WORKER_MEDIA_PIXELS_H_
#define GENZO_WORKER_MEDIA_PIXELS_H_

#include <string>

#include "absl/status/status.h"

namespace genzo {

// An uncompressed picture: rows from the top, three bytes RGB a pixel.
struct Pixels {
  int width = 0;
  int height = 0;
  std::string rgb;  // width * height * 3 bytes
};

// INTERNAL unless `pixels` has a size and the bytes that it takes.
absl::Status CheckPixels(const Pixels& pixels);

// "a picture of WxH could not be written as FORMAT: REASON", INTERNAL.
absl::Status UnwritableError(const Pixels& pixels, const std::string& format,
                             const std::string& reason);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PIXELS_H_
