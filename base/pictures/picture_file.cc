#include "base/pictures/picture_file.h"

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

using std::string_view_literals::operator""sv;

struct Signature {
  std::string_view begin;
  size_t second_place;      // of `second`
  std::string_view second;  // empty: `begin` is enough
  absl::StatusOr<std::unique_ptr<PictureFile>> (*open)(std::string_view file);
};

constexpr Signature kSignatures[] = {
    {"\x89PNG\r\n\x1a\n"sv, 0, ""sv, OpenPng},
    {"\xff\xd8\xff"sv, 0, ""sv, OpenJpeg},
    {"RIFF"sv, 8, "WEBP"sv, OpenWebp},
};

bool Matches(std::string_view file, const Signature& signature) {
  return file.substr(0, signature.begin.size()) == signature.begin &&
         file.size() >= signature.second_place &&
         file.substr(signature.second_place, signature.second.size()) ==
             signature.second;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PictureFile>> OpenPicture(
    std::string_view file) {
  for (const Signature& signature : kSignatures) {
    if (Matches(file, signature)) return signature.open(file);
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "a file of ", file.size(), " bytes is neither PNG nor JPEG nor WebP"));
}

absl::Status UnreadableError(std::string_view format, std::string_view reason) {
  return absl::InvalidArgumentError(
      absl::StrCat("the ", std::string(format),
                   " file cannot be read: ", std::string(reason)));
}

}  // namespace genzo
