#ifndef GENZO_BASE_WATCHED_FILE_H_
#define GENZO_BASE_WATCHED_FILE_H_

#include <sys/stat.h>

#include <optional>
#include <string>

namespace genzo {

// A file that others replace, best by renaming another over it. For one thread
// at a time.
class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  // The file's bytes if it was changed since the last time that it could be
  // read, or for the first time; nullopt if it is as it was, or cannot be read.
  std::optional<std::string> Changed();

  // The same, whether it was changed or not.
  std::optional<std::string> Read();

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  struct stat seen_ = {};
};

}  // namespace genzo

#endif  // GENZO_BASE_WATCHED_FILE_H_
