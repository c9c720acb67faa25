#include "worker/media/png.h"

#include <zlib.h>

#include "absl/strings/str_cat.h"
#include "stb_image_write.h"

namespace genzo {
namespace {

// Signature, then the header chunk: length, name, 13 bytes, checksum.
constexpr size_t kHeaderEnd = 8 + 4 + 4 + 13 + 4;

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

// PNG specification, 11.3.4.5: keyword, no compression, no language.
std::string TextChunk(const std::string& key, const std::string& text) {
  using std::string_literals::operator""s;
  const std::string body =
      absl::StrCat("iTXt", key, "\0"s, "\0\0"s, "\0"s, "\0"s, text);
  const uLong checksum = crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                               static_cast<uInt>(body.size()));
  return absl::StrCat(BigEndian(static_cast<uint32_t>(body.size() - 4)), body,
                      BigEndian(static_cast<uint32_t>(checksum)));
}

void Append(void* context, void* data, int size) {
  static_cast<std::string*>(context)->append(static_cast<char*>(data), size);
}

}  // namespace

absl::StatusOr<std::string> EncodePng(const Pixels& pixels,
                                      const PictureText& text) {
  const absl::Status checked = CheckPixels(pixels);
  if (!checked.ok()) return checked;
  std::string file;
  const int written =
      stbi_write_png_to_func(Append, &file, pixels.width, pixels.height,
                             /*comp=*/3, pixels.rgb.data(), pixels.width * 3);
  if (written == 0 || file.size() < kHeaderEnd) {
    return absl::InternalError(absl::StrCat("a picture of ", pixels.width, "x",
                                            pixels.height,
                                            " could not be written as PNG"));
  }
  std::string chunks;
  for (const auto& [key, value] : text) chunks += TextChunk(key, value);
  file.insert(kHeaderEnd, chunks);
  return file;
}

}  // namespace genzo
