#include "client/picture_files.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "client/file_names.h"

namespace genzo {

absl::StatusOr<std::string> PictureFiles::Write(const v1::Image& image) {
  return WriteFile(ImageName(slug_, image.seed()), image.picture());
}

absl::StatusOr<std::string> PictureFiles::Write(const v1::Preview& preview) {
  return WriteFile(
      PreviewName(slug_, seed_ + preview.image_index(), preview.step()),
      preview.picture());
}

absl::StatusOr<std::string> PictureFiles::WriteFile(
    const std::string& name, const v1::Picture& picture) {
  std::error_code ignored;
  std::filesystem::create_directories(folder_, ignored);
  const std::string path = (std::filesystem::path(folder_) / name).string() +
                           Extension(picture.media_type());
  const std::string& bytes = picture.data();
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  const bool opened = file.is_open();
  if (file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())) &&
      file.flush()) {
    return path;
  }
  const std::string reason = std::strerror(errno);
  file.close();
  if (opened && std::filesystem::is_regular_file(path, ignored)) {
    std::filesystem::remove(path, ignored);  // half a picture is none
  }
  return absl::UnavailableError(
      absl::StrCat(path, " cannot be written: ", reason));
}

}  // namespace genzo
