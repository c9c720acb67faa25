#include "base/pictures/picture_probe.h"

#include "base/pictures/picture_file.h"

namespace genzo {

absl::StatusOr<PictureHeader> ProbePicture(std::string_view file) {
  const auto opened = OpenPicture(file);
  if (!opened.ok()) return opened.status();
  return (*opened)->header();
}

}  // namespace genzo
