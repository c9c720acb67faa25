#ifndef GENZO_WORKER_IMAGE_PNG_H_
#define GENZO_WORKER_IMAGE_PNG_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/image/pixels.h"

namespace genzo {

// Key and UTF-8 text of a PNG text chunk. A key has 1 to 79 printable ASCII
// characters.
using PngText = std::vector<std::pair<std::string, std::string>>;

// A PNG file of `pixels` with `text` in iTXt chunks before the picture's data.
// INTERNAL if the encoder fails. Thread-safe.
absl::StatusOr<std::string> EncodePng(const Pixels& pixels,
                                      const PngText& text);

}  // namespace genzo

#endif  // GENZO_WORKER_IMAGE_PNG_H_
