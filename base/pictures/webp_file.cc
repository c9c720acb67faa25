#include <webp/decode.h>
#include <webp/mux.h>

#include "base/pictures/orientation.h"
#include "base/pictures/picture_file.h"

namespace genzo {
namespace {

constexpr char kFormat[] = "WebP";

const uint8_t* Bytes(std::string_view file) {
  return reinterpret_cast<const uint8_t*>(file.data());
}

absl::Status Error(VP8StatusCode code) {
  switch (code) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
      return UnreadableError(kFormat, "it ends early");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return UnreadableError(kFormat, "it uses a feature that is unknown");
    case VP8_STATUS_OUT_OF_MEMORY:
      return UnreadableError(kFormat, "out of memory");
    default:
      return UnreadableError(kFormat, "its data are corrupt");
  }
}

std::string ExifIn(std::string_view file) {
  const WebPData data = {Bytes(file), file.size()};
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(
      WebPMuxCreate(&data, /*copy_data=*/0), WebPMuxDelete);
  WebPData exif = {};
  if (mux == nullptr ||
      WebPMuxGetChunk(mux.get(), "EXIF", &exif) != WEBP_MUX_OK) {
    return "";
  }
  return {reinterpret_cast<const char*>(exif.bytes), exif.size};
}

class WebpFile : public PictureFile {
 public:
  WebpFile(std::string_view file, const PictureHeader& header)
      : file_(file), header_(header) {}

  PictureHeader header() const override { return header_; }

  absl::StatusOr<StoredPicture> Read() override {
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {
      return absl::InternalError("libwebp is not the version built against");
    }
    StoredPicture picture;
    picture.rgba.resize(size_t{4} * header_.width * header_.height);
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA = {
        .rgba = reinterpret_cast<uint8_t*>(picture.rgba.data()),
        .stride = 4 * header_.width,
        .size = picture.rgba.size()};
    const VP8StatusCode code = WebPDecode(Bytes(file_), file_.size(), &config);
    if (code != VP8_STATUS_OK) return Error(code);
    picture.exif = ExifIn(file_);
    return picture;
  }

 private:
  const std::string_view file_;
  const PictureHeader header_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PictureFile>> OpenWebp(std::string_view file) {
  WebPBitstreamFeatures features;
  const VP8StatusCode code =
      WebPGetFeatures(Bytes(file), file.size(), &features);
  if (code != VP8_STATUS_OK) return Error(code);
  if (features.has_animation != 0) {
    return UnreadableError(kFormat, "animations are not supported");
  }
  return std::make_unique<WebpFile>(
      file,
      PictureHeader{.format = kFormat,
                    .width = features.width,
                    .height = features.height,
                    .on_its_side = IsOnItsSide(OrientationIn(ExifIn(file)))});
}

}  // namespace genzo
