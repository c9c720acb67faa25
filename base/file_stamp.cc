#include "base/file_stamp.h"

#include <set>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

std::string StampOfFile(const fs::path& path) {
  std::error_code error;
  const auto time = fs::last_write_time(path, error).time_since_epoch();
  return absl::StrCat(fs::file_size(path, error), " ", time.count());
}

}  // namespace

std::string FileStamp(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return StampOfFile(path);
  std::set<std::string> files;
  constexpr auto kOptions = fs::directory_options::follow_directory_symlink |
                            fs::directory_options::skip_permission_denied;
  for (fs::recursive_directory_iterator at(path, kOptions, error), end;
       !error && at != end; at.increment(error)) {
    std::error_code ignored;
    if (!at->is_regular_file(ignored)) continue;
    files.insert(absl::StrCat(at->path().lexically_relative(path).string(), " ",
                              StampOfFile(at->path())));
  }
  return absl::StrJoin(files, "\n");
}

}  // namespace genzo
