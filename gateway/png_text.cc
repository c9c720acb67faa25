#include "gateway/png_text.h"

#include <csetjmp>
#include <cstring>
#include <memory>

#include "base/utf8.h"
#include "png.h"

namespace genzo {
namespace {

constexpr int kMaxChunks = 64;              // of text
constexpr size_t kMaxChunkBytes = 1 << 20;  // inflated

struct Source {
  absl::string_view left;
};

void ReadFrom(png_structp png, png_bytep to, png_size_t size) {
  auto& source = *static_cast<Source*>(png_get_io_ptr(png));
  if (source.left.size() < size) png_error(png, "the file ends too soon");
  std::memcpy(to, source.left.data(), size);
  source.left.remove_prefix(size);
}

// In place of libpng's own, which write to standard error.
void Ignore(png_structp, png_const_charp) {}
void Leave(png_structp png, png_const_charp) { png_longjmp(png, 1); }

// libpng leaves by longjmp, past which nothing here may have a destructor.
bool ReadInfo(png_structp png, png_infop info, Source* source) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_set_read_fn(png, source, ReadFrom);
  png_set_chunk_cache_max(png, kMaxChunks);
  png_set_chunk_malloc_max(png, kMaxChunkBytes);
  png_set_user_limits(png, 1 << 16, 1 << 16);
  png_read_info(png, info);
  return true;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ReadPngTexts(
    absl::string_view file) {
  png_structp png =
      png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, Leave, Ignore);
  if (png == nullptr) return absl::InternalError("libpng cannot be used");
  png_infop info = png_create_info_struct(png);
  Source source{file};
  std::map<std::string, std::string> texts;
  const bool is_read = info != nullptr && ReadInfo(png, info, &source);
  if (is_read) {
    png_textp text = nullptr;
    int count = 0;
    png_get_text(png, info, &text, &count);
    for (int i = 0; i < count; ++i) {
      // One of both lengths is 0, by the kind of the chunk.
      const size_t size = text[i].text_length + text[i].itxt_length;
      texts[text[i].key] = ToUtf8({text[i].text, size});
    }
  }
  png_destroy_read_struct(&png, &info, nullptr);
  if (is_read) return texts;
  return absl::InvalidArgumentError("the picture is not a sound PNG file");
}

}  // namespace genzo
