#include "tests/testing/test_folder.h"

#include <stdlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace genzo {

namespace fs = std::filesystem;

std::string SourcePath(const std::string& relative) {
  const char* elsewhere = std::getenv("GENZO_SOURCE_DIR");
  if (elsewhere == nullptr || *elsewhere == '\0') elsewhere = GENZO_SOURCE_DIR;
  return (fs::path(elsewhere) / relative).string();
}

std::string TinyModelFolder() {
  return SourcePath("tests/data/reference/models/sd1");
}

TestFolder::TestFolder() {
  std::string pattern =
      (fs::temp_directory_path() / "genzo-test-XXXXXX").string();
  path_ = mkdtemp(pattern.data());
}

TestFolder::~TestFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TestFolder::Write(const std::string& name,
                              const std::string& bytes) const {
  const fs::path path = fs::path(path_) / name;
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
  return path.string();
}

std::string TestFolder::CopyTinyModel() const {
  const fs::path target = fs::path(path_) / "model";
  fs::copy(TinyModelFolder(), target, fs::copy_options::recursive);
  return target.string();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

}  // namespace genzo
