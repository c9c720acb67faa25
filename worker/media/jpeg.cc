#include "worker/media/jpeg.h"

#include <new>

#include "absl/strings/str_cat.h"
#include "base/pictures/jpeg_trap.h"
#include "worker/media/exif.h"

namespace genzo {
namespace {

using std::string_literals::operator""s;

constexpr int kFullColorQuality = 90;
constexpr size_t kFirstFileBytes = 1 << 16;
// Before the packet of an XMP segment (ISO 16684-3), its final zero included.
constexpr std::string_view kXmpMark("http://ns.adobe.com/xap/1.0/\0", 29);
constexpr size_t kMaxMarkerBytes = 65533;

// Where libjpeg writes a file: a string that doubles when it is full.
struct Destination : jpeg_destination_mgr {
  std::string file;

  Destination() {
    init_destination = [](j_compress_ptr jpeg) { Grow(jpeg, 0); };
    empty_output_buffer = [](j_compress_ptr jpeg) -> boolean {
      Grow(jpeg, Of(jpeg).file.size());
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

  static void Grow(j_compress_ptr jpeg, size_t used) {
    if (Of(jpeg).TryGrow(used)) return;
    TrapOf(reinterpret_cast<j_common_ptr>(jpeg)).Spring("out of memory");
  }

  // Whether there was memory for it.
  bool TryGrow(size_t used) {
    try {
      file.resize(used == 0 ? kFirstFileBytes : 2 * used);
    } catch (const std::bad_alloc&) {
      return false;
    }
    next_output_byte = reinterpret_cast<JOCTET*>(file.data()) + used;
    free_in_buffer = file.size() - used;
    return true;
  }
};

// libjpeg's encoder. Its methods are called within `trap.Run` only.
class Compressor {
 public:
  explicit Compressor(ErrorTrap& trap) {
    jpeg_.err = jpeg_std_error(&errors_);
    errors_.error_exit = SpringJpeg;
    errors_.output_message = IgnoreJpeg;
    jpeg_.client_data = &trap;
  }
  ~Compressor() { jpeg_destroy_compress(&jpeg_); }
  Compressor(const Compressor&) = delete;
  Compressor& operator=(const Compressor&) = delete;

  void Begin(const Pixels& pixels, int quality) {
    jpeg_create_compress(&jpeg_);
    jpeg_.dest = &destination_;
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

  // Of up to 65,533 bytes.
  void WriteMetadata(const std::string& marker) {
    jpeg_write_marker(&jpeg_, JPEG_APP0 + 1,
                      reinterpret_cast<const JOCTET*>(marker.data()),
                      marker.size());
  }

  void Finish(const Pixels& pixels) {
    const auto* bytes = reinterpret_cast<const JSAMPLE*>(pixels.rgb.data());
    while (jpeg_.next_scanline < jpeg_.image_height) {
      // The library reads rows only, but its type does not say so.
      auto* row = const_cast<JSAMPLE*>(bytes + size_t{3} * pixels.width *
                                                   jpeg_.next_scanline);
      jpeg_write_scanlines(&jpeg_, &row, 1);
    }
    jpeg_finish_compress(&jpeg_);
  }

  std::string TakeFile() { return std::move(destination_.file); }

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
  const std::string exif = ExifOf(text);
  const std::string exif_marker =
      exif.empty() ? "" : absl::StrCat("Exif\0\0"s, exif);
  const std::string xmp = TextOf(text, kXmpKey);
  const std::string xmp_marker = xmp.empty() ? "" : std::string(kXmpMark) + xmp;
  if (xmp_marker.size() > kMaxMarkerBytes) {
    return UnwritableError(pixels, "JPEG", "its XMP is too long");
  }
  ErrorTrap trap;
  Compressor compressor(trap);
  const bool written = trap.Run([&] {
    compressor.Begin(pixels, quality);
    if (!exif_marker.empty()) compressor.WriteMetadata(exif_marker);
    if (!xmp_marker.empty()) compressor.WriteMetadata(xmp_marker);
    compressor.Finish(pixels);
  });
  if (!written) return UnwritableError(pixels, "JPEG", trap.message());
  return compressor.TakeFile();
}

}  // namespace genzo
