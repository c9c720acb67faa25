#ifndef GENZO_WORKER_MEDIA_PICTURE_DECODER_H_
#define GENZO_WORKER_MEDIA_PICTURE_DECODER_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/pictures/picture_probe.h"
#include "worker/media/pixels.h"

namespace genzo {

// What a picture that somebody sent may ask of us.
struct PictureLimits {
  int64_t max_bytes = int64_t{16} << 20;   // of the file
  int64_t max_pixels = int64_t{32} << 20;  // width * height
};

// INVALID_ARGUMENT names what is too large and the limit: "width 40000 x
// height 30000 = 1200000000 pixels, the limit is 33554432".
absl::Status CheckHeader(const PictureHeader& header,
                         const PictureLimits& limits);

// The picture in a PNG, JPEG or WebP file, told by its first bytes, as it is to
// be looked at:
//
// - turned and mirrored as its Exif says;
// - over white where it is transparent: white * (1 - alpha) + colour * alpha;
// - grey, palettes, 16 bits and CMYK as 8-bit RGB. Colour profiles are not
//   applied, nor is gamma, as in PIL and so in the reference pipelines.
//
// Both limits hold before memory for a picture is taken: up to eight bytes a
// pixel, and six more for a progressive JPEG. INVALID_ARGUMENT for a file over
// a limit, of another format, animated, broken or cut off. Safe on any bytes.
// Thread-safe.
absl::StatusOr<Pixels> DecodePicture(std::string_view file,
                                     const PictureLimits& limits);

// What of a file is a mask.
enum class MaskSource {
  kBrightness,    // white is painted; what is transparent is black
  kTransparency,  // what is transparent is painted, whatever its colour
};

// The mask in such a file, as grey: 255 is painted, 0 stays. Turned, limited
// and refused as DecodePicture() does; brightness is that of PIL's "L".
absl::StatusOr<Pixels> DecodeMask(std::string_view file,
                                  const PictureLimits& limits,
                                  MaskSource source);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PICTURE_DECODER_H_
