#include "client/picture_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "client/file_names.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::UnavailableError(
      absl::StrCat(path, " cannot be written: ", std::strerror(error)));
}

bool Holds(const std::string& path, const std::string& bytes) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return false;  // a pipe would block
  if (fs::file_size(path, error) != bytes.size()) return false;
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {}) == bytes;
}

// 0, or the error of the first write that failed.
int WriteAll(int file, const std::string& bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = write(file, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) done += static_cast<size_t>(count);
  }
  return 0;
}

}  // namespace

absl::Status CheckOutputFolder(const std::string& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return CannotWrite(folder, error.value());
  if (!fs::is_directory(folder, error)) return CannotWrite(folder, ENOTDIR);
  if (access(folder.c_str(), W_OK | X_OK) != 0) {
    return CannotWrite(folder, errno);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> WriteNewPicture(const std::string& stem,
                                            const v1::Picture& picture) {
  std::error_code error;
  fs::create_directories(fs::path(stem).parent_path(), error);
  const std::string ending = Extension(picture.media_type());
  std::string path = stem + ending;
  int file = -1;
  // Opened only if it is new: another client may be at the same name.
  for (int number = 2; file < 0; ++number) {
    constexpr mode_t kAllButTheUmask = 0666;
    file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                kAllButTheUmask);
    if (file >= 0) break;
    if (errno != EEXIST) return CannotWrite(path, errno);
    if (Holds(path, picture.data())) return path;
    if (fs::is_directory(path, error)) return CannotWrite(path, EISDIR);
    path = absl::StrCat(stem, "-", number, ending);
  }
  int failure = WriteAll(file, picture.data());
  if (close(file) != 0 && failure == 0) failure = errno;
  if (failure == 0) return path;
  fs::remove(path, error);  // half a picture is none
  return CannotWrite(path, failure);
}

absl::StatusOr<std::string> PictureFiles::Write(const v1::Image& image) {
  return WriteNewPicture(Stem(ImageName(slug_, image.seed())), image.picture());
}

absl::StatusOr<std::string> PictureFiles::Write(const v1::Preview& preview) {
  return WriteNewPicture(
      Stem(PreviewName(slug_, seed_ + preview.image_index(), preview.step())),
      preview.picture());
}

std::string PictureFiles::Stem(const std::string& name) const {
  return (fs::path(folder_) / name).string();
}

}  // namespace genzo
