#ifndef GENZO_BASE_WATCHED_FILE_H_
#define GENZO_BASE_WATCHED_FILE_H_

#include <sys/stat.h>

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace genzo {

// A file that others replace, best by renaming another over it. For one thread
// at a time.
class WatchedFile {
 public:
  explicit WatchedFile(std::string path) : path_(std::move(path)) {}

  // The file's bytes if it was changed since the last time that it could be
  // read, or for the first time; nullopt if it is as it was, or cannot be read.
  std::optional<std::string> Changed();

  // Has `take` take over what the file says, if it was changed; says in the log
  // that it did, `what` of the file, or why it would not; and, once, that the
  // file cannot be read.
  void TakeChanged(const std::string& what,
                   const std::function<absl::Status(const std::string&)>& take);

  // Whether what the file said when TakeChanged() last looked was taken over,
  // then or before.
  bool in_force() const { return !was_blind_ && was_taken_; }

  // As Changed(), whether it was changed or not.
  std::optional<std::string> Read();

  // Whether the file is not the one that was read last: after Changed(), that
  // it cannot be read.
  bool CannotBeRead() const;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  struct stat seen_ = {};
  bool was_blind_ = false;  // when it was last looked at
  bool was_taken_ = true;   // what was last read
};

}  // namespace genzo

#endif  // GENZO_BASE_WATCHED_FILE_H_
