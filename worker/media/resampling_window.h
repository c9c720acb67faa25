#ifndef GENZO_WORKER_MEDIA_RESAMPLING_WINDOW_H_
#define GENZO_WORKER_MEDIA_RESAMPLING_WINDOW_H_

#include <cstdint>
#include <vector>

namespace genzo {

enum class ResamplingFilter { kBilinear, kBicubic, kLanczos };

// What one place of a scaled side is the weighted sum of: of the places from
// `begin` on. The weights add up to 1.
struct ResamplingWindow {
  int64_t begin = 0;
  std::vector<double> weights;
};

// Of `place` of a side of `out`, made of one of `in`; wider where it becomes
// shorter. Reference: precompute_coeffs of Pillow's Resample.c. Pure.
ResamplingWindow WindowOf(ResamplingFilter filter, int64_t in, int64_t out,
                          int64_t place);

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_RESAMPLING_WINDOW_H_
