#include "worker/upscale/tiled_upscale.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/empty.h"
#include "ATen/ops/reflection_pad2d.h"
#include "ATen/ops/replication_pad2d.h"

namespace genzo {
namespace {

int64_t RoundUp(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// A side as the upscaler takes it.
int64_t PaddedSide(int64_t side, const UpscalerTraits& traits) {
  return RoundUp(std::max<int64_t>(side, traits.minimum), traits.multiple);
}

// What is missing on the right and below is mirrored, as spandrel does it; what
// a mirror does not have is repeated.
at::Tensor Padded(const at::Tensor& pixels, const UpscalerTraits& traits) {
  const int64_t height = pixels.size(2);
  const int64_t width = pixels.size(3);
  const int64_t right = PaddedSide(width, traits) - width;
  const int64_t below = PaddedSide(height, traits) - height;
  const int64_t mirrored_right = std::min(right, width - 1);
  const int64_t mirrored_below = std::min(below, height - 1);
  at::Tensor padded = pixels;
  if (mirrored_right > 0 || mirrored_below > 0) {
    padded =
        at::reflection_pad2d(padded, {0, mirrored_right, 0, mirrored_below});
  }
  if (right > mirrored_right || below > mirrored_below) {
    padded = at::replication_pad2d(
        padded, {0, right - mirrored_right, 0, below - mirrored_below});
  }
  return padded;
}

// Sides of equal parts of `whole`, of at most `most` each.
int64_t EqualPart(int64_t whole, int64_t most, int64_t multiple) {
  const int64_t parts = (whole + most - 1) / most;
  return RoundUp((whole + parts - 1) / parts, multiple);
}

}  // namespace

TilePlan PlanTiles(int64_t width, int64_t height, const UpscalerTraits& traits,
                   int64_t memory_bytes) {
  width = PaddedSide(width, traits);
  height = PaddedSide(height, traits);
  const int64_t pixels = memory_bytes / traits.bytes_per_pixel;
  if (width * height <= pixels) return {width, height, /*overlap=*/0};
  const int64_t overlap =
      RoundUp(std::min<int64_t>(traits.reach, kMostOverlap), traits.multiple);
  const auto side = static_cast<int64_t>(std::sqrt(pixels));
  const int64_t most = std::max(
      kSmallestTile, (side - 2 * overlap) / traits.multiple * traits.multiple);
  return {EqualPart(width, most, traits.multiple),
          EqualPart(height, most, traits.multiple), overlap};
}

TiledUpscale::TiledUpscale(const Upscaler& upscaler, const at::Tensor& pixels,
                           const TilePlan& plan)
    : upscaler_(upscaler),
      width_(pixels.size(3)),
      height_(pixels.size(2)),
      overlap_(plan.overlap),
      padded_(Padded(pixels, upscaler.traits())) {
  const int64_t height = padded_.size(2);
  const int64_t width = padded_.size(3);
  const int64_t scale = upscaler.traits().scale;
  result_ = at::empty({1, 3, height * scale, width * scale}, at::kFloat);
  for (int64_t y = 0; y < height; y += plan.tile_height) {
    for (int64_t x = 0; x < width; x += plan.tile_width) {
      tiles_.push_back({x, y, std::min(plan.tile_width, width - x),
                        std::min(plan.tile_height, height - y)});
    }
  }
}

void TiledUpscale::Step() {
  if (finished()) return;
  const Tile& tile = tiles_[done_];
  const int64_t scale = upscaler_.traits().scale;
  const int64_t left = std::max<int64_t>(0, tile.x - overlap_);
  const int64_t top = std::max<int64_t>(0, tile.y - overlap_);
  const int64_t right =
      std::min(padded_.size(3), tile.x + tile.width + overlap_);
  const int64_t bottom =
      std::min(padded_.size(2), tile.y + tile.height + overlap_);
  const at::Tensor seen =
      padded_.narrow(2, top, bottom - top).narrow(3, left, right - left);
  const at::Tensor large =
      upscaler_.Enlarge(seen.contiguous().to(upscaler_.device()));
  result_.narrow(2, tile.y * scale, tile.height * scale)
      .narrow(3, tile.x * scale, tile.width * scale)
      .copy_(large.narrow(2, (tile.y - top) * scale, tile.height * scale)
                 .narrow(3, (tile.x - left) * scale, tile.width * scale));
  ++done_;
}

at::Tensor TiledUpscale::result() const {
  const int64_t scale = upscaler_.traits().scale;
  return result_.narrow(2, 0, height_ * scale)
      .narrow(3, 0, width_ * scale)
      .clamp(0, 1);
}

}  // namespace genzo
