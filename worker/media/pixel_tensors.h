#ifndef GENZO_WORKER_MEDIA_PIXEL_TENSORS_H_
#define GENZO_WORKER_MEDIA_PIXEL_TENSORS_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "worker/media/pixels.h"

namespace genzo {

// Between bytes and the tensors that models read and write. All of it is
// thread-safe and on the CPU; LibTorch's threads of the caller help.

// From a decoder's output [1, 3, H, W] or [3, H, W], [-1, 1] and any floating
// type, clamped and rounded half to even as the reference pipelines do.
Pixels ToPixels(const at::Tensor& decoded);

// What an encoder reads: [1, 3, H, W] float32, byte / 255 * 2 - 1, to the bit
// as diffusers' VaeImageProcessor computes it. ToPixels brings the same bytes
// back.
at::Tensor ToTensor(const Pixels& pixels);

// The decoder's output made smaller so that its longest side is at most
// `longest_side`, with antialiasing; unchanged if it is already or if
// `longest_side` is 0. [1, 3, H, W] float32 -> [1, 3, h, w].
at::Tensor ShrinkToSide(const at::Tensor& decoded, int64_t longest_side);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PIXEL_TENSORS_H_
