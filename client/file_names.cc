#include "client/file_names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/utf8.h"

namespace genzo {

std::string Slug(const std::string& prompt) {
  constexpr size_t kMaxBytes = 48;
  std::string slug;
  for (char c : absl::StrReplaceAll(Printable(prompt), {{"\uFFFD", "-"}})) {
    const bool ascii = (static_cast<unsigned char>(c) & 0x80) == 0;
    if (!ascii || absl::ascii_isalnum(c)) {
      slug += absl::ascii_tolower(c);
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
  }
  if (slug.size() > kMaxBytes) {
    size_t end = kMaxBytes;
    while (end > 0 && (static_cast<unsigned char>(slug[end]) & 0xC0) == 0x80) {
      --end;
    }
    slug.resize(end);
  }
  while (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "image" : slug;
}

std::string ImageName(const std::string& slug, uint64_t seed) {
  return absl::StrCat(slug, "-seed", seed);
}

std::string PreviewName(const std::string& slug, uint64_t seed, int step) {
  return absl::StrFormat("%s-seed%d-step%02d", slug, seed, step);
}

std::string Extension(const std::string& media_type) {
  if (media_type == "image/png") return ".png";
  if (media_type == "image/jpeg") return ".jpg";
  if (media_type == "image/webp") return ".webp";
  return ".bin";
}

}  // namespace genzo
