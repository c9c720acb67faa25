#ifndef GENZO_CLIENT_FILE_NAMES_H_
#define GENZO_CLIENT_FILE_NAMES_H_

#include <cstdint>
#include <string>

namespace genzo {

// A file name stem that tells a picture by its prompt: letters, digits and
// whatever is not ASCII stay; all else, and what a terminal should not be shown
// (see Printable), becomes a hyphen; at most 48 bytes, cut between characters.
// "image" for a prompt without any of them.
std::string Slug(const std::string& prompt);

// "red-fox-seed42", or with "-step05" for a preview.
std::string ImageName(const std::string& slug, uint64_t seed);
std::string PreviewName(const std::string& slug, uint64_t seed, int step);

// The extension of a picture's file, with its dot: "image/jpeg" -> ".jpg".
// ".bin" for what is no format of ours.
std::string Extension(const std::string& media_type);

}  // namespace genzo

#endif  // GENZO_CLIENT_FILE_NAMES_H_
