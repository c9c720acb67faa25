#include "worker/media/picture_encoder.h"

#include "absl/strings/str_cat.h"
#include "worker/media/jpeg.h"
#include "worker/media/png.h"
#include "worker/media/webp.h"

namespace genzo {
namespace {

struct FileType {
  v1::ImageFormat format;
  const char* media_type;
  bool lossy;
  absl::StatusOr<std::string> (*encode)(const Pixels&, int quality,
                                        const PictureText&);
};

absl::StatusOr<std::string> EncodeLossless(const Pixels& pixels, int,
                                           const PictureText& text) {
  return EncodePng(pixels, text);
}

constexpr FileType kFileTypes[] = {
    {v1::IMAGE_FORMAT_UNSPECIFIED, "image/png", false, EncodeLossless},
    {v1::IMAGE_FORMAT_PNG, "image/png", false, EncodeLossless},
    {v1::IMAGE_FORMAT_JPEG, "image/jpeg", true, EncodeJpeg},
    {v1::IMAGE_FORMAT_WEBP, "image/webp", true, EncodeWebp},
};

}  // namespace

absl::StatusOr<EncodedPicture> EncodePicture(const Pixels& pixels,
                                             const PictureFormat& format,
                                             const PictureText& text) {
  for (const FileType& type : kFileTypes) {
    if (type.format != format.format) continue;
    if (type.lossy && (format.quality < 1 || format.quality > 100)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "quality ", format.quality, " is not between 1 and 100"));
    }
    auto file = type.encode(pixels, format.quality, text);
    if (!file.ok()) return file.status();
    return EncodedPicture{*std::move(file), type.media_type};
  }
  return absl::InvalidArgumentError(
      absl::StrCat("format ", static_cast<int>(format.format), " is unknown"));
}

}  // namespace genzo
