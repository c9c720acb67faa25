#include "base/pictures/picture_metadata.h"

#include <libexif/exif-data.h>
#include <webp/mux.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <utility>

#include "base/pictures/jpeg_trap.h"
#include "base/pictures/picture_file.h"
#include "base/pictures/png_trap.h"
#include "unicode/unistr.h"

namespace genzo {
namespace {

using std::string_view_literals::operator""sv;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

void Add(const char* key, std::string value, PictureText& text) {
  if (!value.empty()) text.emplace_back(key, std::move(value));
}

// --- Exif --------------------------------------------------------------------

std::string_view DataOf(const ExifEntry* entry) {
  return entry == nullptr || entry->data == nullptr
             ? std::string_view()
             : std::string_view(reinterpret_cast<const char*>(entry->data),
                                entry->size);
}

// Exif 2.32, 4.6.5: eight bytes name the code of what follows.
std::string CommentText(std::string_view comment, ExifByteOrder order) {
  constexpr size_t kCodeBytes = 8;
  const std::string_view code = comment.substr(0, kCodeBytes);
  if (comment.size() < kCodeBytes) return "";
  comment.remove_prefix(kCodeBytes);
  if (code != "UNICODE\0"sv) return std::string(comment);
  icu::UnicodeString text;
  for (size_t i = 0; i + 1 < comment.size(); i += 2) {
    text.append(
        static_cast<char16_t>(exif_get_short(Bytes(comment.substr(i)), order)));
  }
  std::string utf8;
  text.toUTF8String(utf8);
  return utf8;
}

// `exif` from the TIFF header or the mark "Exif" on.
void AddExif(std::string_view exif, PictureText& text) {
  constexpr auto kMark = "Exif\0\0"sv;
  if (exif.empty()) return;
  const std::string marked =
      std::string(exif.substr(0, kMark.size()) == kMark ? "" : kMark) +
      std::string(exif);
  const std::unique_ptr<ExifData, void (*)(ExifData*)> data(
      exif_data_new_from_data(Bytes(marked), marked.size()), exif_data_unref);
  if (data == nullptr) return;
  const auto entry = [&](ExifIfd directory, ExifTag tag) {
    return DataOf(exif_content_get_entry(data->ifd[directory], tag));
  };
  std::string software(entry(EXIF_IFD_0, EXIF_TAG_SOFTWARE));
  software.resize(std::strlen(software.c_str()));
  Add(kParametersKey,
      CommentText(entry(EXIF_IFD_EXIF, EXIF_TAG_USER_COMMENT),
                  exif_data_get_byte_order(data.get())),
      text);
  Add(kSoftwareKey, std::move(software), text);
}

// --- the formats -------------------------------------------------------------

// Texts are packed: a small file may hold very long ones, and very many.
constexpr int kMostPngTexts = 256;
constexpr size_t kMostPngTextBytes = 8 << 20;  // of one
constexpr size_t kMostPngBytes = 64 << 20;     // that libpng takes in all

png_voidp TakeMemory(png_structp png, png_alloc_size_t size) {
  auto& left = *static_cast<size_t*>(png_get_mem_ptr(png));
  if (size > left) return nullptr;
  left -= size;
  return std::malloc(size);
}
void GiveMemoryBack(png_structp, png_voidp memory) { std::free(memory); }

absl::StatusOr<PictureText> ReadPngText(std::string_view file) {
  ErrorTrap trap;
  size_t bytes_left = kMostPngBytes;
  png_structp png = nullptr;
  png_infop info = nullptr;
  png_textp chunks = nullptr;
  int count = 0;
  const bool read = trap.Run([&] {
    png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &trap, SpringPng,
                                   IgnorePng, &bytes_left, TakeMemory,
                                   GiveMemoryBack);
    info = png == nullptr ? nullptr : png_create_info_struct(png);
    if (info == nullptr) trap.Spring("out of memory");
    png_set_read_fn(png, &file, TakePng);
    // libpng's count begins at one and ends before its last.
    png_set_chunk_cache_max(png, kMostPngTexts + 2);
    png_set_chunk_malloc_max(png, kMostPngTextBytes);
    png_read_info(png, info);
    count = png_get_text(png, info, &chunks, nullptr);
  });
  PictureText text;
  for (int i = 0; read && i < count; ++i) {
    Add(chunks[i].key, chunks[i].text == nullptr ? "" : chunks[i].text, text);
  }
  png_destroy_read_struct(&png, &info, /*end_info_ptr_ptr=*/nullptr);
  if (!read) return UnreadableError("PNG", trap.message());
  return text;
}

absl::StatusOr<PictureText> ReadJpegText(std::string_view file) {
  constexpr auto kExifMark = "Exif\0\0"sv;
  constexpr auto kXmpMark = "http://ns.adobe.com/xap/1.0/\0"sv;
  ErrorTrap trap;
  jpeg_error_mgr errors = {};
  jpeg_decompress_struct jpeg = {};
  jpeg.err = jpeg_std_error(&errors);
  errors.error_exit = SpringJpeg;
  errors.output_message = IgnoreJpeg;
  jpeg.client_data = &trap;
  const bool read = trap.Run([&] {
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, Bytes(file), file.size());
    jpeg_save_markers(&jpeg, JPEG_APP0 + 1, 0xFFFF);
    jpeg_read_header(&jpeg, /*require_image=*/TRUE);
  });
  PictureText text;
  bool has_exif = false;
  for (const auto* place = read ? jpeg.marker_list : nullptr; place != nullptr;
       place = place->next) {
    const std::string_view body(reinterpret_cast<const char*>(place->data),
                                place->data_length);
    if (body.substr(0, kExifMark.size()) == kExifMark) {
      // One can take libexif a third of a second, and a file may have hundreds.
      if (!std::exchange(has_exif, true)) AddExif(body, text);
    } else if (body.substr(0, kXmpMark.size()) == kXmpMark) {
      Add(kXmpKey, std::string(body.substr(kXmpMark.size())), text);
    }
  }
  jpeg_destroy_decompress(&jpeg);
  if (!read) return UnreadableError("JPEG", trap.message());
  return text;
}

absl::StatusOr<PictureText> ReadWebpText(std::string_view file) {
  const WebPData data = {Bytes(file), file.size()};
  const std::unique_ptr<WebPMux, void (*)(WebPMux*)> mux(
      WebPMuxCreate(&data, /*copy_data=*/0), WebPMuxDelete);
  if (mux == nullptr) return UnreadableError("WebP", "its data are corrupt");
  const auto chunk = [&](const char* name) {
    WebPData found = {};
    return WebPMuxGetChunk(mux.get(), name, &found) == WEBP_MUX_OK
               ? std::string(reinterpret_cast<const char*>(found.bytes),
                             found.size)
               : "";
  };
  PictureText text;
  AddExif(chunk("EXIF"), text);
  Add(kXmpKey, chunk("XMP "), text);
  return text;
}

}  // namespace

absl::StatusOr<PictureText> ReadPictureText(std::string_view file) {
  const auto header = ProbePicture(file);
  if (!header.ok()) return header.status();
  const std::string_view format = header->format;
  if (format == "PNG") return ReadPngText(file);
  return format == "JPEG" ? ReadJpegText(file) : ReadWebpText(file);
}

}  // namespace genzo
