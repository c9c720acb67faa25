#include "base/watched_folders.h"

#include <set>
#include <system_error>
#include <utility>

#include "base/file_stamp.h"
#include "base/folder_walk.h"
#include "base/logging.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

std::set<fs::path> PathsIn(const std::string& folder,
                           const WatchedFolders::IsEntry& is_entry,
                           bool looks_below, std::error_code& error) {
  std::set<fs::path> found;
  const auto visit = [&](const fs::path& path, int /*depth*/) {
    if (is_entry(path)) found.insert(path);
    return looks_below;
  };
  WalkFolder(folder, visit, error);
  return found;
}

}  // namespace

WatchedFolders::WatchedFolders(std::string what,
                               std::vector<std::string> folders,
                               IsEntry is_entry, Depth depth)
    : what_(std::move(what)),
      folders_(std::move(folders)),
      is_entry_(std::move(is_entry)),
      depth_(depth) {}

std::vector<WatchedFolders::Entry> WatchedFolders::Look() {
  std::vector<Entry> all;
  for (const std::string& folder : folders_) {
    const std::vector<Entry> entries = LookInto(folder);
    all.insert(all.end(), entries.begin(), entries.end());
  }
  return all;
}

std::vector<WatchedFolders::Entry> WatchedFolders::LookInto(
    const std::string& folder) {
  std::error_code error;
  const std::set<fs::path> paths =
      PathsIn(folder, is_entry_, /*looks_below=*/depth_ != Depth::kFlat, error);
  const std::string why = error ? error.message() : "";
  if (std::exchange(said_[folder], why) != why && error) {
    spdlog::warn("{}: {} cannot be read: {}", what_, folder, why);
  }
  std::vector<Entry>& seen = seen_[folder];
  if (error && !IsGone(folder)) return seen;
  seen.clear();
  for (const fs::path& path : paths) {
    seen.push_back({path.string(), FileStamp(path)});
  }
  return seen;
}

bool HasEnding(const fs::path& path,
               std::initializer_list<const char*> endings) {
  const fs::path ending = path.extension();
  for (const char* one : endings) {
    if (ending == one) return true;
  }
  return false;
}

}  // namespace genzo
