#include "base/model_fingerprint.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/sha256.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

std::string LineOf(const fs::path& path) {
  std::error_code ignored;
  return absl::StrCat(
      path.string(), " ", fs::file_size(path, ignored), " ",
      fs::last_write_time(path, ignored).time_since_epoch().count());
}

void AddFiles(const std::string& where, std::vector<std::string>& lines) {
  if (where.empty()) return;
  std::error_code error;
  if (!fs::is_directory(where, error)) return lines.push_back(LineOf(where));
  for (fs::recursive_directory_iterator
           it(where, fs::directory_options::follow_directory_symlink, error),
       end;
       !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) lines.push_back(LineOf(it->path()));
  }
}

// A file may have one of the folders *.config beside it as its configuration.
void AddFamilyFolders(const std::string& where,
                      std::vector<std::string>& lines) {
  std::error_code error;
  if (fs::is_directory(where, error)) return;
  for (fs::directory_iterator it(fs::path(where).parent_path(), error), end;
       !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".config") {
      AddFiles(it->path().string(), lines);
    }
  }
}

}  // namespace

std::string ModelFingerprint(const ModelFiles& model) {
  std::vector<std::string> lines;
  AddFiles(model.path, lines);
  AddFiles(model.config, lines);
  AddFamilyFolders(model.path, lines);
  for (const auto& [part, where] : model.parts) AddFiles(where, lines);
  std::sort(lines.begin(), lines.end());
  return absl::BytesToHexString(Sha256(absl::StrJoin(lines, "\n")));
}

}  // namespace genzo
