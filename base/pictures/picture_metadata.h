#ifndef GENZO_BASE_PICTURES_PICTURE_METADATA_H_
#define GENZO_BASE_PICTURES_PICTURE_METADATA_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "base/pictures/picture_text.h"

namespace genzo {

// What a PNG, JPEG or WebP file says about its picture, by the keys of
// PictureText, whoever wrote it: PNG's texts before the pixels; of JPEG and
// WebP the first Exif's Software and UserComment, and XMP. Left out are PNG's
// texts beyond the first 256, packed ones of more than 8 MB, and what does not
// fit into 64 MB of libpng's memory. INVALID_ARGUMENT for what is none of the
// formats or broken before its pixels. Safe on any bytes. Thread-safe.
absl::StatusOr<PictureText> ReadPictureText(std::string_view file);

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PICTURE_METADATA_H_
