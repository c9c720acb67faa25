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

// A rectangle of pixels within a picture.
struct Box {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};

// The part `box` of the picture, which lies within it, scaled to `width` x
// `height`, at least 1 each, with PIL's Lanczos, as diffusers' pipelines scale
// what they are given; as it is if it has that size.
Pixels Scaled(const Pixels& pixels, const Box& box, int width, int height);

// The picture scaled so that it just covers `width` x `height`, what stands
// over cut off evenly on both sides. So a 640x480 picture becomes 512x512 from
// the 480x480 pixels in its middle. Those pixels, whole ones and at least one,
// are cut out first: what it costs is bounded by the two sizes however long
// and thin the picture. They are Scaled(). `width` and `height` are at least 1.
Pixels FitToSize(const Pixels& pixels, int width, int height);

// The decoder's output made smaller so that its longest side is at most
// `longest_side`, with antialiasing; unchanged if it is already or if
// `longest_side` is 0. [1, 3, H, W] float32 -> [1, 3, h, w].
at::Tensor ShrinkToSide(const at::Tensor& decoded, int64_t longest_side);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PIXEL_TENSORS_H_
