#ifndef GENZO_WORKER_MEDIA_PICTURE_RESAMPLING_H_
#define GENZO_WORKER_MEDIA_PICTURE_RESAMPLING_H_

#include <cstdint>

#include "worker/media/pixels.h"
#include "worker/media/resampling_window.h"

namespace genzo {

// A picture's size after scaling, and the part of it that is wanted.
struct ResamplingPlan {
  ResamplingFilter filter = ResamplingFilter::kBicubic;
  int64_t scaled_width = 0, scaled_height = 0;
  // In the scaled picture and within it.
  int64_t left = 0, top = 0;
  int width = 0, height = 0;
};

// PIL's Image.resize to the bit: filters widened where the picture shrinks,
// columns before rows, bytes in between. (LibTorch's antialiased filters weigh
// with fewer bits; networks trained behind PIL are given PIL's bytes.) What is
// not wanted is not computed, so time and memory are bounded by `pixels` and
// the part, however long the scaled picture would be. Thread-safe.
Pixels Resample(const Pixels& pixels, const ResamplingPlan& plan);
// All of it, `width` x `height`.
Pixels ResampleTo(const Pixels& pixels, ResamplingFilter filter, int width,
                  int height);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_PICTURE_RESAMPLING_H_
