#include "client/input_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::string> ReadInputFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const int reason = errno;
  std::error_code error;
  const bool is_folder = std::filesystem::is_directory(path, error);
  if (!file || is_folder) {
    return absl::NotFoundError(absl::StrCat(
        "picture ", path,
        " cannot be read: ", std::strerror(is_folder ? EISDIR : reason)));
  }
  std::string bytes;
  constexpr size_t kPiece = size_t{1} << 20;
  while (file) {
    const size_t begin = bytes.size();
    bytes.resize(begin + kPiece);
    file.read(bytes.data() + begin, kPiece);
    bytes.resize(begin + static_cast<size_t>(file.gcount()));
    if (bytes.size() > kMostInputBytes) {
      return absl::InvalidArgumentError(absl::StrCat(
          "picture ", path, " has over ", kMostInputBytes >> 20, " MiB"));
    }
  }
  return bytes;
}

}  // namespace genzo
