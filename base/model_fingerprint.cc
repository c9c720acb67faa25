#include "base/model_fingerprint.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/file_stamp.h"
#include "base/sha256.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

void AddFiles(const std::string& where, std::vector<std::string>& lines) {
  if (where.empty()) return;
  lines.push_back(absl::StrCat(where, "\n", FileStamp(where)));
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
