// jerror.h needs jpeglib.h.
// clang-format off
#include "base/pictures/jpeg_trap.h"
#include <jerror.h>
// clang-format on

#include <vector>

#include "base/pictures/orientation.h"
#include "base/pictures/picture_file.h"

namespace genzo {
namespace {

using std::string_view_literals::operator""sv;

constexpr char kFormat[] = "JPEG";
constexpr auto kExifMark = "Exif\0\0"sv;
// Progressive files have about ten. Each is a walk over the whole picture,
// however few its bytes.
constexpr int kMaxScans = 100;

// libjpeg goes on after these with grey instead of the picture.
void OnMessage(j_common_ptr jpeg, int level) {
  constexpr int kIsWarning = -1;
  if (level != kIsWarning) return;
  switch (jpeg->err->msg_code) {
    case JWRN_JPEG_EOF:
      TrapOf(jpeg).Spring("it ends early");
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_MUST_RESYNC:
      SpringJpeg(jpeg);
    default:
      break;
  }
}

void CountScans(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number > kMaxScans) {
    TrapOf(jpeg).Spring("it has more than 100 scans");
  }
}

// What a row in the file's colours becomes.
struct ColorModel {
  J_COLOR_SPACE space;
  void (*to_rgba)(const JSAMPLE* row, int width, bool inverted, char* rgba);
};

void RgbToRgba(const JSAMPLE* row, int width, bool, char* rgba) {
  for (int x = 0; x < width; ++x, row += 3, rgba += 4) {
    for (int c = 0; c < 3; ++c) rgba[c] = static_cast<char>(row[c]);
    rgba[3] = static_cast<char>(0xFF);
  }
}

// Adobe's programs store how much light is left instead of how much ink.
void CmykToRgba(const JSAMPLE* row, int width, bool inverted, char* rgba) {
  for (int x = 0; x < width; ++x, row += 4, rgba += 4) {
    const auto light = [&](int c) { return inverted ? row[c] : 255 - row[c]; };
    for (int c = 0; c < 3; ++c) {
      rgba[c] = static_cast<char>((light(c) * light(3) + 127) / 255);
    }
    rgba[3] = static_cast<char>(0xFF);
  }
}

class JpegFile : public PictureFile {
 public:
  explicit JpegFile(std::string_view file) : file_(file) {
    jpeg_.err = jpeg_std_error(&errors_);
    errors_.error_exit = SpringJpeg;
    errors_.emit_message = OnMessage;
    errors_.output_message = IgnoreJpeg;
    progress_.progress_monitor = CountScans;
    jpeg_.client_data = &trap_;
  }
  ~JpegFile() override { jpeg_destroy_decompress(&jpeg_); }
  JpegFile(const JpegFile&) = delete;
  JpegFile& operator=(const JpegFile&) = delete;

  absl::Status Open() {
    if (!trap_.Run([this] { ReadHeader(); })) return Error();
    return absl::OkStatus();
  }

  PictureHeader header() const override {
    return {.format = kFormat,
            .width = static_cast<int>(jpeg_.image_width),
            .height = static_cast<int>(jpeg_.image_height),
            .on_its_side = IsOnItsSide(OrientationIn(ExifIn()))};
  }

  absl::StatusOr<StoredPicture> Read() override {
    StoredPicture picture;
    picture.rgba.resize(size_t{4} * jpeg_.image_width * jpeg_.image_height);
    std::vector<JSAMPLE> row(size_t{4} * jpeg_.image_width);
    const bool read =
        trap_.Run([&] { ReadRows(row.data(), picture.rgba.data()); });
    if (!read) return Error();
    picture.exif = std::string(ExifIn());
    return picture;
  }

 private:
  // Both only within trap_.Run.
  void ReadHeader() {
    jpeg_create_decompress(&jpeg_);
    jpeg_.progress = &progress_;
    jpeg_mem_src(&jpeg_, reinterpret_cast<const unsigned char*>(file_.data()),
                 file_.size());
    jpeg_save_markers(&jpeg_, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg_, /*require_image=*/TRUE);
  }
  void ReadRows(JSAMPLE* row, char* rgba) {
    const bool cmyk = jpeg_.jpeg_color_space == JCS_CMYK ||
                      jpeg_.jpeg_color_space == JCS_YCCK;
    const ColorModel model = cmyk ? ColorModel{JCS_CMYK, CmykToRgba}
                                  : ColorModel{JCS_RGB, RgbToRgba};
    jpeg_.out_color_space = model.space;
    jpeg_start_decompress(&jpeg_);
    while (jpeg_.output_scanline < jpeg_.output_height) {
      jpeg_read_scanlines(&jpeg_, &row, 1);
      model.to_rgba(row, static_cast<int>(jpeg_.output_width),
                    jpeg_.saw_Adobe_marker != FALSE, rgba);
      rgba += size_t{4} * jpeg_.output_width;
    }
  }
  std::string_view ExifIn() const {
    for (const auto* place = jpeg_.marker_list; place; place = place->next) {
      const std::string_view body(reinterpret_cast<const char*>(place->data),
                                  place->data_length);
      if (body.substr(0, kExifMark.size()) == kExifMark) {
        return body.substr(kExifMark.size());
      }
    }
    return "";
  }
  absl::Status Error() const {
    return UnreadableError(kFormat, trap_.message());
  }

  const std::string_view file_;
  ErrorTrap trap_;
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  jpeg_decompress_struct jpeg_ = {};
};

}  // namespace

absl::StatusOr<std::unique_ptr<PictureFile>> OpenJpeg(std::string_view file) {
  auto jpeg = std::make_unique<JpegFile>(file);
  const absl::Status opened = jpeg->Open();
  if (!opened.ok()) return opened;
  return jpeg;
}

}  // namespace genzo
