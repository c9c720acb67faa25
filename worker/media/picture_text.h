#ifndef GENZO_WORKER_MEDIA_PICTURE_TEXT_H_
#define GENZO_WORKER_MEDIA_PICTURE_TEXT_H_

#include <string>
#include <utility>
#include <vector>

namespace genzo {

// What a picture's file says about it: keys of 1 to 79 printable ASCII
// characters and UTF-8 text. PNG writes every pair; Exif has places for the two
// keys that are named here and leaves out others.
using PictureText = std::vector<std::pair<std::string, std::string>>;

// How the picture was made, in the form that web front ends read back.
inline constexpr char kParametersKey[] = "parameters";
// The program that made it; ASCII.
inline constexpr char kSoftwareKey[] = "Software";

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PICTURE_TEXT_H_
