#ifndef GENZO_WORKER_MEDIA_PNG_H_
#define GENZO_WORKER_MEDIA_PNG_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/pictures/picture_text.h"
#include "worker/media/pixels.h"

namespace genzo {

// A PNG file of `pixels` with `text` in iTXt chunks before the picture's data.
// Takes about 40 ns a pixel; how that was chosen stands in png.cc. INTERNAL if
// the encoder fails, as for a key that PNG does not allow. Thread-safe.
absl::StatusOr<std::string> EncodePng(const Pixels& pixels,
                                      const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PNG_H_
