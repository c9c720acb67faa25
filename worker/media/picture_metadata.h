#ifndef GENZO_WORKER_MEDIA_PICTURE_METADATA_H_
#define GENZO_WORKER_MEDIA_PICTURE_METADATA_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "worker/media/picture_text.h"

namespace genzo {

// What a PNG, JPEG or WebP file says about its picture, by the keys of
// PictureText, whoever wrote it: PNG's texts before the pixels; of JPEG and
// WebP Exif's Software and UserComment, and XMP. INVALID_ARGUMENT for what is
// none of the formats or broken before its pixels. Safe on any bytes.
// Thread-safe.
absl::StatusOr<PictureText> ReadPictureText(std::string_view file);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PICTURE_METADATA_H_
