#include "worker/media/jpeg.h"

// jpeglib.h needs what stands before it.
// clang-format off
#include <cstddef>
#include <cstdio>
#include <jpeglib.h>
// clang-format on

#include "absl/strings/str_cat.h"
#include "worker/media/exif.h"

namespace genzo {
namespace {

using std::string_literals::operator""s;

constexpr int kFullColorQuality = 90;
constexpr size_t kFirstFileBytes = 1 << 16;

// Leaves libjpeg, which must not see its error handler return. Caught in
// EncodeJpeg.
struct JpegError {
  std::string message;
};

[[noreturn]] void Throw(j_common_ptr jpeg) {
  char message[JMSG_LENGTH_MAX];
  jpeg->err->format_message(jpeg, message);
  throw JpegError{message};
}

// Warnings go nowhere: the library would write them to standard error.
void Ignore(j_common_ptr) {}

// Where libjpeg writes a file: a string that doubles when it is full.
struct Destination : jpeg_destination_mgr {
  std::string file;

  Destination() {
    init_destination = [](j_compress_ptr jpeg) { Of(jpeg).Grow(0); };
    empty_output_buffer = [](j_compress_ptr jpeg) -> boolean {
      Of(jpeg).Grow(Of(jpeg).file.size());
      return TRUE;
    };
    term_destination = [](j_compress_ptr jpeg) {
      Destination& to = Of(jpeg);
      to.file.resize(to.file.size() - to.free_in_buffer);
    };
  }

  static Destination& Of(j_compress_ptr jpeg) {
    return *static_cast<Destination*>(jpeg->dest);
  }

  void Grow(size_t used) {
    file.resize(used == 0 ? kFirstFileBytes : 2 * used);
    next_output_byte = reinterpret_cast<JOCTET*>(file.data()) + used;
    free_in_buffer = file.size() - used;
  }
};

// libjpeg's encoder. Its methods throw JpegError.
class Compressor {
 public:
  Compressor() {
    jpeg_.err = jpeg_std_error(&errors_);
    errors_.error_exit = Throw;
    errors_.output_message = Ignore;
    jpeg_create_compress(&jpeg_);
    jpeg_.dest = &destination_;
  }
  ~Compressor() { jpeg_destroy_compress(&jpeg_); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  void Begin(const Pixels& pixels, int quality) {
    jpeg_.image_width = pixels.width;
    jpeg_.image_height = pixels.height;
    jpeg_.input_components = 3;
    jpeg_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&jpeg_);
    jpeg_set_quality(&jpeg_, quality, /*force_baseline=*/TRUE);
    const int samples = quality >= kFullColorQuality ? 1 : 2;
    jpeg_.comp_info[0].h_samp_factor = samples;
    jpeg_.comp_info[0].v_samp_factor = samples;
    jpeg_start_compress(&jpeg_, /*write_all_tables=*/TRUE);
  }

  void WriteExif(const std::string& exif) {
    const std::string body = absl::StrCat("Exif\0\0"s, exif);
    jpeg_write_marker(&jpeg_, JPEG_APP0 + 1,
                      reinterpret_cast<const JOCTET*>(body.data()),
                      body.size());
  }

  std::string Finish(const Pixels& pixels) {
    const auto* bytes = reinterpret_cast<const JSAMPLE*>(pixels.rgb.data());
    while (jpeg_.next_scanline < jpeg_.image_height) {
      // The library reads rows only, but its type does not say so.
      auto* row = const_cast<JSAMPLE*>(bytes + size_t{3} * pixels.width *
                                                   jpeg_.next_scanline);
      jpeg_write_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_compress(&jpeg_);
    return std::move(destination_.file);
  }

 private:
  jpeg_compress_struct jpeg_ = {};
  jpeg_error_mgr errors_ = {};
  Destination destination_;
};

}  // namespace

absl::StatusOr<std::string> EncodeJpeg(const Pixels& pixels, int quality,
                                       const PictureText& text) {
  const absl::Status checked = CheckPixels(pixels);
  if (!checked.ok()) return checked;
  try {
    Compressor compressor;
    compressor.Begin(pixels, quality);
    const std::string exif = ExifOf(text);
    if (!exif.empty()) compressor.WriteExif(exif);
    return compressor.Finish(pixels);
  } catch (const JpegError& error) {
    return absl::InternalError(
        absl::StrCat("a picture of ", pixels.width, "x", pixels.height,
                     " could not be written as JPEG: ", error.message));
  }
}

}  // namespace genzo
