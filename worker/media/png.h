#ifndef GENZO_WORKER_MEDIA_PNG_H_
#define GENZO_WORKER_MEDIA_PNG_H_

#include <string>

#include "absl/status/statusor.h"
#include "worker/media/picture_text.h"
#include "worker/media/pixels.h"

namespace genzo {

// A PNG file of `pixels` with `text` in iTXt chunks before the picture's data.
// INTERNAL if the encoder fails. Thread-safe.
absl::StatusOr<std::string> EncodePng(const Pixels& pixels,
                                      const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PNG_H_
