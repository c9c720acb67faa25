#ifndef GENZO_WORKER_MEDIA_PIXELS_H_
#define GENZO_WORKER_MEDIA_PIXELS_H_

#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"

namespace genzo {

// An uncompressed picture: rows from the top, three bytes RGB a pixel.
struct Pixels {
  int width = 0;
  int height = 0;
  std::string rgb;  // width * height * 3 bytes
};

// INTERNAL unless `pixels` has a size and the bytes that it takes.
absl::Status CheckPixels(const Pixels& pixels);

// From a decoder's output [1, 3, H, W] or [3, H, W], [-1, 1] and any floating
// type, clamped and rounded half to even as the reference pipelines do.
Pixels ToPixels(const at::Tensor& decoded);

// The decoder's output made smaller so that its longest side is at most
// `longest_side`, with antialiasing; unchanged if it is already or if
// `longest_side` is 0. [1, 3, H, W] float32 -> [1, 3, h, w].
at::Tensor ShrinkToSide(const at::Tensor& decoded, int64_t longest_side);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PIXELS_H_
