#ifndef GENZO_WORKER_MEDIA_WEBP_H_
#define GENZO_WORKER_MEDIA_WEBP_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/pictures/picture_text.h"
#include "worker/media/pixels.h"

namespace genzo {

// A lossy WebP file of `pixels` with `text` as Exif. `quality` is 1 to 100 on
// libwebp's scale. INTERNAL if the encoder fails, as for a side over 16383.
// Thread-safe.
absl::StatusOr<std::string> EncodeWebp(const Pixels& pixels, int quality,
                                       const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_WEBP_H_
