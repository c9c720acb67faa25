#include "client/input_file.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::string> ReadInputFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) {
    return absl::NotFoundError(
        absl::StrCat("picture ", path, " cannot be read"));
  }
  return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace genzo
