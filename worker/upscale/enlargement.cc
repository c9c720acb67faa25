#include "worker/upscale/enlargement.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace genzo {
namespace {

TilePlan TilesOf(PixelSize size, const Upscaler& upscaler, int64_t bytes) {
  return PlanTiles(size.width, size.height, upscaler.traits(), bytes);
}

int64_t PartsOf(int64_t whole, int64_t part) {
  return (whole + part - 1) / part;
}

int64_t Round(double value) { return std::max<int64_t>(1, std::lround(value)); }

}  // namespace

at::Tensor CropToProportions(const at::Tensor& picture, PixelSize target) {
  const int64_t height = picture.size(2);
  const int64_t width = picture.size(3);
  const double wanted =
      static_cast<double>(target.width) / static_cast<double>(target.height);
  const int64_t kept_width =
      std::min(width, Round(static_cast<double>(height) * wanted));
  const int64_t kept_height =
      std::min(height, Round(static_cast<double>(width) / wanted));
  return picture.narrow(2, (height - kept_height) / 2, kept_height)
      .narrow(3, (width - kept_width) / 2, kept_width);
}

Enlargement::Enlargement(std::shared_ptr<const Upscaler> upscaler,
                         at::Tensor pixels, const UpscalePlan& plan,
                         int64_t memory_bytes)
    : upscaler_(std::move(upscaler)),
      size_(plan.result),
      memory_bytes_(memory_bytes),
      pixels_(std::move(pixels)) {
  PixelSize size = {pixels_.size(3), pixels_.size(2)};
  for (const PixelSize& larger : plan.passes) {
    // Tiles are laid over the padded picture, whose last may be longer.
    const TilePlan tiles = TilesOf(size, *upscaler_, memory_bytes);
    const int64_t multiple = upscaler_->traits().multiple;
    const auto padded = [&](int64_t side) {
      return std::max<int64_t>(PartsOf(side, multiple) * multiple,
                               upscaler_->traits().minimum);
    };
    tiles_ += static_cast<int>(PartsOf(padded(size.width), tiles.tile_width) *
                               PartsOf(padded(size.height), tiles.tile_height));
    size = larger;
  }
  if (size.width != size_.width || size.height != size_.height) {
    bands_ = static_cast<int>(LanczosResize::BandsOf(size_.height));
  }
  tiles_ += bands_;
}

void Enlargement::Step() {
  if (finished()) return;
  if (done_ < tiles_ - bands_) {
    StepPass();
  } else {
    StepFilter();
  }
}

void Enlargement::StepPass() {
  if (!pass_.has_value()) {
    pass_.emplace(
        *upscaler_, pixels_,
        TilesOf({pixels_.size(3), pixels_.size(2)}, *upscaler_, memory_bytes_));
  }
  pass_->Step();
  ++done_;
  if (!pass_->finished()) return;
  pixels_ = pass_->result();
  pass_.reset();
}

void Enlargement::StepFilter() {
  if (!filter_.has_value()) {
    filter_.emplace(pixels_, size_.height, size_.width);
    pixels_ = at::Tensor();  // it has them
  }
  filter_->Step();
  ++done_;
}

at::Tensor Enlargement::result() const {
  return (filter_.has_value() ? filter_->result() : pixels_).clamp(0, 1);
}

}  // namespace genzo
