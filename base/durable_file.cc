#include "base/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/logging.h"

namespace genzo {
namespace {

absl::Status CannotWrite(const std::string& path, int error) {
  return absl::UnavailableError(
      absl::StrCat(path, " cannot be written: ", strerror(error)));
}

// 0 or an errno.
int WriteAll(int file, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) bytes.remove_prefix(written);
  }
  return fsync(file) == 0 ? 0 : errno;
}

int FlushFolder(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const int folder = open(parent.empty() ? "." : parent.c_str(),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) return errno;
  const int error = fsync(folder) == 0 ? 0 : errno;
  close(folder);
  return error;
}

// Gives `file` the mode, owner and group of `kept`. 0 or an errno.
int TakeRights(int file, const struct stat& kept) {
  if (fchown(file, kept.st_uid, kept.st_gid) != 0) {
    struct stat made = {};
    // Who may not give it away need not, where it is theirs already.
    if (fstat(file, &made) != 0 || made.st_uid != kept.st_uid ||
        made.st_gid != kept.st_gid) {
      return EPERM;
    }
  }
  return fchmod(file, kept.st_mode & 07777) == 0 ? 0 : errno;
}

}  // namespace

absl::Status AppendDurably(const std::string& name, absl::string_view bytes) {
  const int file =
      open(name.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return CannotWrite(name, errno);
  const off_t before = lseek(file, 0, SEEK_END);
  const int error = WriteAll(file, bytes);
  if (error != 0 && ftruncate(file, before) != 0) {
    spdlog::error("{} may be damaged: {}", name, strerror(errno));
  }
  close(file);
  return error == 0 ? absl::OkStatus() : CannotWrite(name, error);
}

absl::Status WriteDurably(const std::string& name, absl::string_view bytes) {
  // The file that a link points to is replaced, not the link.
  std::error_code dangling;
  const auto target = std::filesystem::canonical(name, dangling);
  const std::string path = dangling ? name : target.string();
  struct stat kept = {};
  const bool replaces = stat(path.c_str(), &kept) == 0;
  const std::string unfinished = absl::StrCat(path, kUnfinishedSuffix);
  const int file =
      open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return CannotWrite(path, errno);
  int error = replaces ? TakeRights(file, kept) : 0;
  if (error == 0) error = WriteAll(file, bytes);
  if (close(file) != 0 && error == 0) error = errno;
  if (error == 0 && rename(unfinished.c_str(), path.c_str()) != 0) {
    error = errno;
  }
  if (error != 0) {
    unlink(unfinished.c_str());
    return CannotWrite(path, error);
  }
  error = FlushFolder(path);
  return error == 0 ? absl::OkStatus() : CannotWrite(path, error);
}

}  // namespace genzo
