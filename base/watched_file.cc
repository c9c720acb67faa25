#include "base/watched_file.h"

#include <fstream>
#include <iterator>

#include "base/logging.h"

namespace genzo {
namespace {

bool IsSame(const struct stat& a, const struct stat& b) {
  return a.st_ino == b.st_ino && a.st_dev == b.st_dev &&
         a.st_size == b.st_size && a.st_mtim.tv_sec == b.st_mtim.tv_sec &&
         a.st_mtim.tv_nsec == b.st_mtim.tv_nsec;
}

}  // namespace

std::optional<std::string> WatchedFile::Changed() {
  struct stat now = {};
  if (stat(path_.c_str(), &now) != 0 || IsSame(now, seen_)) return std::nullopt;
  return Read();
}

void WatchedFile::TakeChanged(
    const std::string& what,
    const std::function<absl::Status(const std::string&)>& take) {
  const auto text = Changed();
  const bool is_blind = !text.has_value() && CannotBeRead();
  if (is_blind && !was_blind_) {
    spdlog::error("{} cannot be read: what it said before stays in force",
                  path_);
  }
  was_blind_ = is_blind;
  if (!text.has_value()) return;
  const absl::Status taken = take(*text);
  was_taken_ = taken.ok();
  if (taken.ok()) {
    spdlog::info("{} of {} are taken over", what, path_);
  } else {
    spdlog::error("{} is not taken over: {}", path_,
                  std::string(taken.message()));
  }
}

bool WatchedFile::CannotBeRead() const {
  struct stat now = {};
  return stat(path_.c_str(), &now) != 0 || !IsSame(now, seen_);
}

std::optional<std::string> WatchedFile::Read() {
  // Looked at before it is read: a change meanwhile is seen the next time.
  struct stat now = {};
  if (stat(path_.c_str(), &now) != 0 || !S_ISREG(now.st_mode)) {
    return std::nullopt;
  }
  std::ifstream file(path_, std::ios::binary);
  if (!file) return std::nullopt;
  std::string bytes((std::istreambuf_iterator<char>(file)),
                    std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  seen_ = now;
  return bytes;
}

}  // namespace genzo
