#ifndef GENZO_CLIENT_PICTURE_FILES_H_
#define GENZO_CLIENT_PICTURE_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// What --help says of the folder that pictures are written into.
inline constexpr char kOutputHelp[] =
    "folder for the files; none that is there is overwritten: a name that is "
    "taken gets -2, -3, ...";

// Writes `picture` into a file of its own and returns its path: `stem` with the
// format's ending, or with "-2", "-3", ... before that while the name is taken.
// Makes the folder. A file that is there with the same bytes is left, and is
// the result. UNAVAILABLE names the path and the reason if it cannot be
// written; then no part of it stays.
absl::StatusOr<std::string> WriteNewPicture(const std::string& stem,
                                            const v1::Picture& picture);

// Whether pictures can be written into `folder`, which is made if it is not
// there. UNAVAILABLE names it and the reason.
absl::Status CheckOutputFolder(const std::string& folder);

// Writes the pictures of one request into a folder, as WriteNewPicture() does.
// Not thread-safe.
class PictureFiles {
 public:
  // `seed` is the first image's.
  PictureFiles(std::string folder, std::string slug, uint64_t seed)
      : folder_(std::move(folder)), slug_(std::move(slug)), seed_(seed) {}

  // Return the path, or what WriteNewPicture() fails with.
  absl::StatusOr<std::string> Write(const v1::Image& image);
  absl::StatusOr<std::string> Write(const v1::Preview& preview);

 private:
  std::string Stem(const std::string& name) const;

  const std::string folder_;
  const std::string slug_;
  const uint64_t seed_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_FILES_H_
