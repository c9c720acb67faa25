#ifndef GENZO_WORKER_MEDIA_WATERMARK_H_
#define GENZO_WORKER_MEDIA_WATERMARK_H_

#include <cstdint>

#include "absl/types/span.h"
#include "worker/media/pixels.h"

namespace genzo {

// An invisible mark in a picture's brightness: one tile of 64 x 64 pixels of
// band-limited noise, over and over (spread spectrum; Kalker et al., SPIE 3657,
// 1999). Whoever adds up all tiles finds it again wherever the picture was cut
// out, also after lossy files (measured: JPEG of quality 80,
// docs/provenance.md). It says that Genzo drew the picture and no more; scaling
// and turning destroy it, and whoever wants to can take it out.

// Adds the mark: about 40 dB of PSNR. `shares` says of each pixel how much of
// the mark it gets, 255 for all, 0 for none, so that what was not painted keeps
// its bytes; empty: all do. Thread-safe.
void AddWatermark(Pixels& pixels, absl::Span<const uint8_t> shares = {});

// How clearly the mark stands out of what else might be there, in standard
// deviations. Of pictures without it seldom over 4.5; from kWatermarkFound on
// it is there. 0 for pictures of less than a quarter of a tile. Thread-safe.
double FindWatermark(const Pixels& pixels);
inline constexpr double kWatermarkFound = 6;

}  // namespace genzo

#endif  // GENZO_WORKER_MEDIA_WATERMARK_H_
