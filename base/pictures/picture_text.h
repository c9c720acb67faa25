#ifndef GENZO_BASE_PICTURES_PICTURE_TEXT_H_
#define GENZO_BASE_PICTURES_PICTURE_TEXT_H_

#include <string>
#include <utility>
#include <vector>

namespace genzo {

// What a picture's file says about it: keys of 1 to 79 printable ASCII
// characters and UTF-8 text. PNG writes every pair; JPEG and WebP have places
// for the three keys that are named here and leave out others.
using PictureText = std::vector<std::pair<std::string, std::string>>;

// How the picture was made, in the form that web front ends read back.
inline constexpr char kParametersKey[] = "parameters";
// The program that made it; ASCII.
inline constexpr char kSoftwareKey[] = "Software";
// An XMP packet (ISO 16684-1), under the name that PNG has for it.
inline constexpr char kXmpKey[] = "XML:com.adobe.xmp";

// The text of `key`; empty if there is none.
inline std::string TextOf(const PictureText& text, const std::string& key) {
  for (const auto& [other, value] : text) {
    if (other == key) return value;
  }
  return "";
}

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PICTURE_TEXT_H_
