#ifndef GENZO_WORKER_MEDIA_FITTING_H_
#define GENZO_WORKER_MEDIA_FITTING_H_

#include "worker/media/pixels.h"

namespace genzo {

// How a picture of other proportions becomes one of a wanted size; the names
// are those of web UIs and of diffusers' VaeImageProcessor.
enum class ResizeMode {
  // It covers the size, and what stands over is cut off evenly on both sides.
  // So a 640x480 picture becomes 512x512 from the 480x480 pixels in its middle.
  kCrop,
  // All of it becomes the size, whatever its proportions.
  kStretch,
  // All of it lies in the middle, and its edges go on to both sides.
  kFill,
};

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

// Where something of `inner`'s proportions lies in width x height: as large as
// it can be, in the middle; sides rounded down, as diffusers has them.
Box InsetOf(const Box& inner, int width, int height);

// `part`, of the size of `inset`, there in width x height, with its edges going
// on around it.
Pixels Framed(const Pixels& part, const Box& inset, int width, int height);

// The picture at `width` x `height`, at least 1 each. With kCrop whole pixels,
// at least one, are cut out before they are Scaled(): what it costs is bounded
// by the two sizes however long and thin the picture.
Pixels FitToSize(const Pixels& pixels, int width, int height, ResizeMode mode);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_FITTING_H_
