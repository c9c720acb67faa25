#include "worker/media/pixels.h"

#include "absl/strings/str_cat.h"

namespace genzo {

absl::Status CheckPixels(const Pixels& pixels) {
  const size_t expected = size_t{3} * pixels.width * pixels.height;
  if (pixels.width > 0 && pixels.height > 0 && pixels.rgb.size() == expected) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("a picture of ", pixels.width, "x",
                                          pixels.height, " has ",
                                          pixels.rgb.size(), " bytes"));
}

absl::Status UnwritableError(const Pixels& pixels, const std::string& format,
                             const std::string& reason) {
  return absl::InternalError(
      absl::StrCat("a picture of ", pixels.width, "x", pixels.height,
                   " could not be written as ", format, ": ", reason));
}

}  // namespace genzo
