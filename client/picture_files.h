#ifndef GENZO_CLIENT_PICTURE_FILES_H_
#define GENZO_CLIENT_PICTURE_FILES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "genzo/v1/image_generation.pb.h"

namespace genzo {

// Writes the pictures of one request into a folder, made on first need. Not
// thread-safe.
class PictureFiles {
 public:
  // `seed` is the first image's.
  PictureFiles(std::string folder, std::string slug, uint64_t seed)
      : folder_(std::move(folder)), slug_(std::move(slug)), seed_(seed) {}

  // Return the path. UNAVAILABLE names it and the reason if it cannot be
  // written; then no part of it stays.
  absl::StatusOr<std::string> Write(const v1::Image& image);
  absl::StatusOr<std::string> Write(const v1::Preview& preview);

 private:
  absl::StatusOr<std::string> WriteFile(const std::string& name,
                                        const v1::Picture& picture);

  const std::string folder_;
  const std::string slug_;
  const uint64_t seed_;
};

}  // namespace genzo

#endif  // GENZO_CLIENT_PICTURE_FILES_H_
