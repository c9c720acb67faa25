#include "worker/media/picture_decoder.h"

#include "absl/strings/str_cat.h"
#include "worker/media/orientation.h"
#include "worker/media/picture_file.h"

namespace genzo {
namespace {

// In place: what is written never overtakes what is read.
std::string OverWhite(std::string rgba) {
  size_t to = 0;
  for (size_t from = 0; from < rgba.size(); from += 4) {
    const int alpha = static_cast<unsigned char>(rgba[from + 3]);
    for (size_t c = 0; c < 3; ++c) {
      const int color = static_cast<unsigned char>(rgba[from + c]);
      rgba[to++] =
          static_cast<char>((color * alpha + 255 * (255 - alpha) + 127) / 255);
    }
  }
  rgba.resize(to);
  return rgba;
}

}  // namespace

absl::Status CheckHeader(const PictureHeader& header,
                         const PictureLimits& limits) {
  const int64_t pixels = int64_t{header.width} * header.height;
  if (pixels <= limits.max_pixels) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("width ", header.width, " x height ", header.height, " = ",
                   pixels, " pixels, the limit is ", limits.max_pixels));
}

absl::StatusOr<Pixels> DecodePicture(std::string_view file,
                                     const PictureLimits& limits) {
  if (static_cast<int64_t>(file.size()) > limits.max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("the file has ", file.size(),
                                                   " bytes, the limit is ",
                                                   limits.max_bytes));
  }
  const auto opened = OpenPicture(file);
  if (!opened.ok()) return opened.status();
  const PictureHeader header = (*opened)->header();
  const absl::Status checked = CheckHeader(header, limits);
  if (!checked.ok()) return checked;
  auto stored = (*opened)->Read();
  if (!stored.ok()) return stored.status();
  return Upright({.width = header.width,
                  .height = header.height,
                  .rgb = OverWhite(std::move(stored->rgba))},
                 OrientationIn(stored->exif));
}

}  // namespace genzo
