#include "worker/weights/regular_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace genzo {

absl::StatusOr<std::unique_ptr<const RegularFile>> RegularFile::Open(
    const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    return absl::NotFoundError(
        absl::StrCat(path, ": cannot be read: ", std::strerror(errno)));
  }
  std::unique_ptr<RegularFile> file(new RegularFile(path, descriptor));
  struct stat info = {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not a regular file"));
  }
  file->size_bytes_ = static_cast<size_t>(info.st_size);
  return std::unique_ptr<const RegularFile>(std::move(file));
}

RegularFile::~RegularFile() { close(descriptor_); }

absl::Status RegularFile::ReadAt(size_t offset, absl::Span<char> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = pread(descriptor_, bytes.data(), bytes.size(),
                                static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return absl::DataLossError(
          absl::StrCat(path_, ": cannot be read: ", std::strerror(errno)));
    }
    if (count == 0) {
      return absl::DataLossError(absl::StrCat(path_, ": ends at byte ", offset,
                                              ", had ", size_bytes_,
                                              " bytes when it was opened"));
    }
    offset += static_cast<size_t>(count);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t max_bytes) {
  const auto file = RegularFile::Open(path);
  if (!file.ok()) return file.status();
  const size_t size_bytes = (*file)->size_bytes();
  if (size_bytes > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": has ", size_bytes, " bytes, the limit is ", max_bytes));
  }
  std::string bytes(size_bytes, '\0');
  const absl::Status read = (*file)->ReadAt(0, absl::MakeSpan(bytes));
  if (!read.ok()) return read;
  return bytes;
}

}  // namespace genzo
