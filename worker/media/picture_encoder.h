#ifndef GENZO_WORKER_MEDIA_PICTURE_ENCODER_H_
#define GENZO_WORKER_MEDIA_PICTURE_ENCODER_H_

#include <string>

#include "absl/status/statusor.h"
#include "base/pictures/picture_text.h"
#include "genzo/v1/image_generation.pb.h"
#include "worker/media/pixels.h"

namespace genzo {

// What kind of file a picture becomes.
struct PictureFormat {
  v1::ImageFormat format = v1::IMAGE_FORMAT_UNSPECIFIED;  // unspecified is PNG
  int quality = 90;  // 1 to 100; without effect on PNG
};

// A picture's file.
struct EncodedPicture {
  std::string data;
  std::string media_type;
};

// Writes `pixels` in the format asked for, with `text` in the form that the
// format has for it. INVALID_ARGUMENT for an unknown format and for a lossy
// one's bad quality, INTERNAL if the encoder fails. May be called from any
// thread and from many at once: nothing is shared, LibTorch is not used.
absl::StatusOr<EncodedPicture> EncodePicture(const Pixels& pixels,
                                             const PictureFormat& format,
                                             const PictureText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PICTURE_ENCODER_H_
