#ifndef GENZO_WORKER_WEIGHTS_REGULAR_FILE_H_
#define GENZO_WORKER_WEIGHTS_REGULAR_FILE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace genzo {

// A file that is open for reading. Everything that a model's folder holds is
// read through it, by copying: a mapping of a file that shrinks would end the
// process, a pipe or a device would hold it up for ever. Immutable; any thread
// may read. (A network file system that hangs still blocks the reader.)
class RegularFile {
 public:
  // NOT_FOUND if `path` cannot be opened, INVALID_ARGUMENT if it is a folder,
  // pipe, socket or device; both name it. Does not wait for a pipe's writer.
  static absl::StatusOr<std::unique_ptr<const RegularFile>> Open(
      const std::string& path);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  // Fills `bytes` with what lies from `offset` on. DATA_LOSS if the file ends
  // before, as one does that is being replaced, or cannot be read.
  absl::Status ReadAt(size_t offset, absl::Span<char> bytes) const;

  const std::string& path() const { return path_; }
  size_t size_bytes() const { return size_bytes_; }  // when it was opened

 private:
  RegularFile(std::string path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  const std::string path_;
  const int descriptor_;
  size_t size_bytes_ = 0;  // set by Open
};

// The bytes of a regular file. Besides Open's errors: INVALID_ARGUMENT if it
// has more than `max_bytes`, DATA_LOSS if it shrinks meanwhile.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path,
                                          size_t max_bytes);

}  // namespace genzo

#endif  // GENZO_WORKER_WEIGHTS_REGULAR_FILE_H_
