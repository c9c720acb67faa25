#include "worker/media/webp.h"

#include <webp/encode.h>
#include <webp/mux.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "worker/media/exif.h"

namespace genzo {
namespace {

// 0 is fastest, 6 makes the smallest files.
constexpr int kMethod = 2;

// Owns what libwebp allocates for a picture and its file.
class Encoder {
 public:
  Encoder() {
    WebPMemoryWriterInit(&writer_);
    WebPPictureInit(&picture_);
    picture_.writer = WebPMemoryWrite;
    picture_.custom_ptr = &writer_;
  }
  ~Encoder() {
    WebPPictureFree(&picture_);
    WebPMemoryWriterClear(&writer_);
  }
  Encoder(const Encoder&) = delete;
  Encoder& operator=(const Encoder&) = delete;

  // Whether it succeeded; else error_code() tells why.
  bool Encode(const Pixels& pixels, int quality) {
    WebPConfig config;
    if (WebPConfigPreset(&config, WEBP_PRESET_PHOTO, quality) == 0) {
      return false;
    }
    config.method = kMethod;
    picture_.width = pixels.width;
    picture_.height = pixels.height;
    const auto* bytes = reinterpret_cast<const uint8_t*>(pixels.rgb.data());
    return WebPPictureImportRGB(&picture_, bytes, 3 * pixels.width) != 0 &&
           WebPEncode(&config, &picture_) != 0;
  }

  WebPData file() const { return {writer_.mem, writer_.size}; }
  int error_code() const { return picture_.error_code; }

 private:
  WebPMemoryWriter writer_;
  WebPPicture picture_;
};

std::string ToString(const WebPData& data) {
  return {reinterpret_cast<const char*>(data.bytes), data.size};
}

absl::StatusOr<std::string> AddMetadata(const WebPData& file,
                                        const std::string& exif,
                                        const std::string& xmp) {
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(
      WebPMuxCreate(&file, /*copy_data=*/0), WebPMuxDelete);
  const auto set = [&](const char* name, const std::string& bytes) {
    const WebPData chunk = {reinterpret_cast<const uint8_t*>(bytes.data()),
                            bytes.size()};
    return bytes.empty() || WebPMuxSetChunk(mux.get(), name, &chunk,
                                            /*copy_data=*/0) == WEBP_MUX_OK;
  };
  WebPData assembled = {};
  if (mux == nullptr || !set("EXIF", exif) || !set("XMP ", xmp) ||
      WebPMuxAssemble(mux.get(), &assembled) != WEBP_MUX_OK) {
    return absl::InternalError("metadata could not be added to a WebP file");
  }
  std::string with_metadata = ToString(assembled);
  WebPDataClear(&assembled);
  return with_metadata;
}

}  // namespace

absl::StatusOr<std::string> EncodeWebp(const Pixels& pixels, int quality,
                                       const PictureText& text) {
  const absl::Status checked = CheckPixels(pixels);
  if (!checked.ok()) return checked;
  Encoder encoder;
  if (!encoder.Encode(pixels, quality)) {
    return UnwritableError(pixels, "WebP",
                           absl::StrCat("error ", encoder.error_code()));
  }
  const std::string exif = ExifOf(text);
  const std::string xmp = TextOf(text, kXmpKey);
  return exif.empty() && xmp.empty() ? ToString(encoder.file())
                                     : AddMetadata(encoder.file(), exif, xmp);
}

}  // namespace genzo
