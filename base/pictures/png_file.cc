#include <png.h>

#include <vector>

#include "base/pictures/orientation.h"
#include "base/pictures/picture_file.h"
#include "base/pictures/png_trap.h"

namespace genzo {
namespace {

constexpr char kFormat[] = "PNG";
// The caller has limits of its own, and says in its message what they are.
constexpr uint32_t kAnySide = 0x7FFFFFFF;

class PngFile : public PictureFile {
 public:
  explicit PngFile(std::string_view file) : rest_(file) {}
  ~PngFile() override {
    png_destroy_read_struct(&png_, &info_, /*end_info_ptr_ptr=*/nullptr);
  }
  PngFile(const PngFile&) = delete;
  PngFile& operator=(const PngFile&) = delete;

  absl::Status Open() {
    if (!trap_.Run([this] { ReadHeader(); })) return Error();
    return absl::OkStatus();
  }

  PictureHeader header() const override {
    return {.format = kFormat,
            .width = static_cast<int>(png_get_image_width(png_, info_)),
            .height = static_cast<int>(png_get_image_height(png_, info_)),
            .on_its_side = IsOnItsSide(OrientationIn(ExifIn()))};
  }

  absl::StatusOr<StoredPicture> Read() override {
    StoredPicture picture;
    const PictureHeader head = header();
    const size_t row_bytes = size_t{4} * head.width;
    picture.rgba.resize(row_bytes * head.height);
    std::vector<png_bytep> rows(head.height);
    for (size_t y = 0; y < rows.size(); ++y) {
      rows[y] =
          reinterpret_cast<png_bytep>(picture.rgba.data()) + y * row_bytes;
    }
    if (!trap_.Run([&] { ReadRows(rows.data(), row_bytes); })) return Error();
    picture.exif = std::string(ExifIn());
    return picture;
  }

 private:
  // Both only within trap_.Run.
  void ReadHeader() {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &trap_, SpringPng,
                                  IgnorePng);
    info_ = png_ == nullptr ? nullptr : png_create_info_struct(png_);
    if (info_ == nullptr) trap_.Spring("out of memory");
    png_set_read_fn(png_, &rest_, TakePng);
    png_set_user_limits(png_, kAnySide, kAnySide);
    // Colour profiles and texts, which may be compressed, are passed over.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER,
                                /*chunk_list=*/nullptr, /*num_chunks=*/-1);
    constexpr png_byte kExifName[] = "eXIf";
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_AS_DEFAULT, kExifName,
                                /*num_chunks=*/1);
    png_read_info(png_, info_);
  }
  void ReadRows(png_bytep* rows, size_t row_bytes) {
    png_set_expand(png_);  // palettes, few bits, a transparent colour
    png_set_scale_16(png_);
    png_set_gray_to_rgb(png_);
    png_set_add_alpha(png_, /*filler=*/0xFF, PNG_FILLER_AFTER);
    png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    if (png_get_rowbytes(png_, info_) != row_bytes) {
      trap_.Spring("its pixels are of an unknown kind");
    }
    png_read_image(png_, rows);
    png_read_end(png_, info_);
  }
  // As far as it was read.
  std::string_view ExifIn() const {
    png_bytep exif = nullptr;
    png_uint_32 bytes = 0;
    png_get_eXIf_1(png_, info_, &bytes, &exif);
    return exif == nullptr
               ? std::string_view()
               : std::string_view(reinterpret_cast<const char*>(exif), bytes);
  }
  absl::Status Error() const {
    return UnreadableError(kFormat, trap_.message());
  }

  std::string_view rest_;  // what libpng has not read yet
  ErrorTrap trap_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PictureFile>> OpenPng(std::string_view file) {
  auto png = std::make_unique<PngFile>(file);
  const absl::Status opened = png->Open();
  if (!opened.ok()) return opened;
  return png;
}

}  // namespace genzo
