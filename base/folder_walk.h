#ifndef GENZO_BASE_FOLDER_WALK_H_
#define GENZO_BASE_FOLDER_WALK_H_

#include <filesystem>
#include <map>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace genzo {

// Tells of all that lies in `folder` and below: visit(path, depth), 0 for what
// lies in the folder itself, says whether to look into a path that is a folder.
// Links to folders are followed, after folders that are none, and no folder is
// looked into twice, whatever leads to it: one that links to a folder above
// would never end. Folders below may be closed to us, but not the folder
// itself: then `error` is set.
template <typename Visit>
void WalkFolder(const std::filesystem::path& folder, const Visit& visit,
                std::error_code& error) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  std::set<fs::path> seen;
  std::map<fs::path, int> links = {
      {folder, 0}};  // with the depth of what is in
  while (!links.empty()) {
    std::vector<std::pair<fs::path, int>> open = {*links.begin()};
    links.erase(links.begin());
    while (!open.empty()) {
      const auto [path, depth] = open.back();
      open.pop_back();
      if (!seen.insert(fs::canonical(path, ignored)).second) continue;
      for (fs::directory_iterator at(path, error), end; !error && at != end;
           at.increment(error)) {
        if (!visit(at->path(), depth) || !at->is_directory(ignored)) continue;
        if (at->is_symlink(ignored)) {
          links.emplace(at->path(), depth + 1);
        } else {
          open.emplace_back(at->path(), depth + 1);
        }
      }
      if (error == std::errc::permission_denied && path != folder) {
        error.clear();
      }
      if (error) return;
    }
  }
}

// Whether a walk that ended with an error may be taken for one through nothing:
// not where a folder below went while it was read, which says nothing about the
// others.
inline bool IsGone(const std::filesystem::path& folder) {
  std::error_code ignored;
  return std::filesystem::status(folder, ignored).type() ==
         std::filesystem::file_type::not_found;
}

}  // namespace genzo

#endif  // GENZO_BASE_FOLDER_WALK_H_
