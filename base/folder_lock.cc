#include "base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

int Open(const std::string& folder) {
  return open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

}  // namespace

FolderLock FolderLock::Await(const std::string& folder) {
  FolderLock lock(Open(folder));
  if (lock.folder_ >= 0) flock(lock.folder_, LOCK_EX);
  return lock;
}

absl::StatusOr<FolderLock> FolderLock::Try(const std::string& folder) {
  FolderLock lock(Open(folder));
  if (lock.folder_ >= 0 && flock(lock.folder_, LOCK_EX | LOCK_NB) != 0 &&
      errno == EWOULDBLOCK) {
    return absl::UnavailableError(absl::StrCat(folder, " is in use"));
  }
  return lock;
}

FolderLock::~FolderLock() {
  if (folder_ >= 0) close(folder_);
}

}  // namespace genzo
