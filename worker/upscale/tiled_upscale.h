#ifndef GENZO_WORKER_UPSCALE_TILED_UPSCALE_H_
#define GENZO_WORKER_UPSCALE_TILED_UPSCALE_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "worker/upscale/upscaler.h"

namespace genzo {

// How a picture is cut: into tiles that each see `overlap` pixels of their
// neighbours, which are computed and thrown away.
struct TilePlan {
  int64_t tile_width = 0;  // multiples of the upscaler's
  int64_t tile_height = 0;
  int64_t overlap = 0;
};

// Tiles of a picture of that size, such that one takes at most `memory_bytes`,
// but for the smallest, of kSmallestTile: equal ones, and one alone where the
// picture fits. They overlap by as far as the network reaches, so that seams
// are none; by kMostOverlap at most, as deep networks reach much farther than
// they look: random weights leave 2e-6 of a seam at 24 pixels (reference/
// goldens, largest_difference_by_pad). Pure.
//
//   1000x600 pixels, 256 MB, a network of 9 kB a pixel that reaches over 300:
//   170x170 fit, of which 32 on each side overlap; 106 remain, so 10 columns
//   of 100 and 6 rows of 100.
inline constexpr int64_t kMostOverlap = 32;
inline constexpr int64_t kSmallestTile = 32;
TilePlan PlanTiles(int64_t width, int64_t height, const UpscalerTraits& traits,
                   int64_t memory_bytes);

// One picture on its way through an upscaler, tile by tile, so that others can
// have the device in between. For one thread at a time.
class TiledUpscale {
 public:
  // `pixels` [1, 3, H, W] float32 in [0, 1] on the CPU; `upscaler` outlives it.
  // Takes memory for the whole result.
  TiledUpscale(const Upscaler& upscaler, const at::Tensor& pixels,
               const TilePlan& plan);

  int tiles() const { return static_cast<int>(tiles_.size()); }
  int tiles_done() const { return done_; }
  bool finished() const { return done_ == tiles(); }

  // Makes the next tile, unless it is finished. LibTorch's exceptions leave it
  // as they are.
  void Step();

  // Once finished: [1, 3, H * scale, W * scale] in [0, 1] on the CPU.
  at::Tensor result() const;

 private:
  struct Tile {
    int64_t x, y, width, height;  // of the padded picture
  };

  const Upscaler& upscaler_;
  const int64_t width_, height_;  // without padding
  const int64_t overlap_;
  at::Tensor padded_;
  at::Tensor result_;  // padded too
  std::vector<Tile> tiles_;
  int done_ = 0;
};

}  // namespace genzo

#endif  // GENZO_WORKER_UPSCALE_TILED_UPSCALE_H_
