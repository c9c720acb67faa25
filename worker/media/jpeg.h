#ifndef GENZO_WORKER_MEDIA_JPEG_H_
#define GENZO_WORKER_MEDIA_JPEG_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/pictures/picture_text.h"
#include "worker/media/pixels.h"

namespace genzo {

// A baseline JPEG file of `pixels` with `text` as Exif and XMP. `quality` is 1
// to 100 on the Independent JPEG Group's scale; from 90 on colours keep their
// full resolution (4:4:4), below they have half of it (4:2:0). INTERNAL if the
// encoder fails. Thread-safe.
absl::StatusOr<std::string> EncodeJpeg(const Pixels& pixels, int quality,
                                       const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_JPEG_H_
