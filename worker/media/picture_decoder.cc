#include "worker/media/picture_decoder.h"

#include "absl/strings/str_cat.h"
#include "base/pictures/orientation.h"
#include "base/pictures/picture_file.h"
#include "worker/media/orientation.h"

namespace genzo {
namespace {

// In place: what is written never overtakes what is read.
std::string OverGrey(std::string rgba, int grey) {
  size_t to = 0;
  for (size_t from = 0; from < rgba.size(); from += 4) {
    const int alpha = static_cast<unsigned char>(rgba[from + 3]);
    for (size_t c = 0; c < 3; ++c) {
      const int color = static_cast<unsigned char>(rgba[from + c]);
      rgba[to++] =
          static_cast<char>((color * alpha + grey * (255 - alpha) + 127) / 255);
    }
  }
  rgba.resize(to);
  return rgba;
}

// In place, likewise.
std::string MaskOf(std::string rgba, MaskSource source) {
  const bool is_alpha = source == MaskSource::kTransparency;
  if (!is_alpha) rgba = OverGrey(std::move(rgba), /*grey=*/0);
  const size_t stride = is_alpha ? 4 : 3;
  size_t to = 0;
  for (size_t from = 0; from < rgba.size(); from += stride) {
    const auto byte = [&](size_t c) {
      return uint32_t{static_cast<unsigned char>(rgba[from + c])};
    };
    // PIL's weights of red, green and blue, in 65536ths.
    const uint32_t grey =
        is_alpha
            ? 255 - byte(3)
            : (byte(0) * 19595 + byte(1) * 38470 + byte(2) * 7471 + 0x8000) >>
                  16;
    for (int c = 0; c < 3; ++c) rgba[to++] = static_cast<char>(grey);
  }
  rgba.resize(to);
  return rgba;
}

// The picture of `file`, its bytes RGBA as `to_rgb` makes them.
template <typename ToRgb>
absl::StatusOr<Pixels> DecodeBy(std::string_view file,
                                const PictureLimits& limits,
                                const ToRgb& to_rgb) {
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
                  .rgb = to_rgb(std::move(stored->rgba))},
                 OrientationIn(stored->exif));
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
  return DecodeBy(file, limits, [](std::string rgba) {
    return OverGrey(std::move(rgba), /*grey=*/255);
  });
}

absl::StatusOr<Pixels> DecodeMask(std::string_view file,
                                  const PictureLimits& limits,
                                  MaskSource source) {
  return DecodeBy(file, limits, [source](std::string rgba) {
    return MaskOf(std::move(rgba), source);
  });
}

}  // namespace genzo
