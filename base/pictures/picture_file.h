#ifndef GENZO_BASE_PICTURES_PICTURE_FILE_H_
#define GENZO_BASE_PICTURES_PICTURE_FILE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/pictures/picture_probe.h"

namespace genzo {

// What a file stores, before it is turned upright and put on white.
struct StoredPicture {
  std::string rgba;  // rows from the top, alpha not multiplied in
  std::string exif;  // empty if there is none
};

// A picture's file whose header has been read and whose pixels have not. One
// thread at a time; different ones on different threads.
class PictureFile {
 public:
  virtual ~PictureFile() = default;

  // Trustworthy: Read() returns so many pixels or fails.
  virtual PictureHeader header() const = 0;
  // Takes memory for width * height pixels, so look at header() first. At most
  // once. INVALID_ARGUMENT if the file is broken, ends early, or is of a kind
  // that is not supported.
  virtual absl::StatusOr<StoredPicture> Read() = 0;
};

// Each borrows `file` until the result is gone. INVALID_ARGUMENT for a header
// that is broken or not supported. Safe on any bytes.
absl::StatusOr<std::unique_ptr<PictureFile>> OpenJpeg(std::string_view file);
absl::StatusOr<std::unique_ptr<PictureFile>> OpenPng(std::string_view file);
absl::StatusOr<std::unique_ptr<PictureFile>> OpenWebp(std::string_view file);

// Whichever of them knows the file's first bytes.
absl::StatusOr<std::unique_ptr<PictureFile>> OpenPicture(std::string_view file);

// "the FORMAT file cannot be read: REASON", INVALID_ARGUMENT.
absl::Status UnreadableError(std::string_view format, std::string_view reason);

}  // namespace genzo

#endif  // GENZO_BASE_PICTURES_PICTURE_FILE_H_
