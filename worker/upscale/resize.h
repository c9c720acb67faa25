#ifndef GENZO_WORKER_UPSCALE_RESIZE_H_
#define GENZO_WORKER_UPSCALE_RESIZE_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace genzo {

// Pixels [1, 3, H, W] float32 of that height and width, through PIL's Lanczos
// filter of three lobes, with its antialiasing where a side becomes shorter;
// within 1/255 of PIL's own, which rounds to bytes between the two sides. May
// overshoot [0, 1] a little. On the CPU.
at::Tensor ResizeLanczos(const at::Tensor& pixels, int64_t height,
                         int64_t width);

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_RESIZE_H_
