#include "worker/media/masked_canvas.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/avg_pool2d.h"
#include "ATen/ops/constant_pad_nd.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/exp.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/replication_pad2d.h"
#include "ATen/ops/round.h"
#include "ATen/ops/upsample_bilinear2d.h"
#include "ATen/ops/where.h"
#include "ATen/ops/zeros.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {
namespace {

constexpr uint8_t kHalf = 128;  // the least byte that is at least 0.5

// [H, W] uint8, a copy.
at::Tensor GreyOf(const Pixels& mask) {
  return at::from_blob(const_cast<char*>(mask.rgb.data()),
                       {mask.height, mask.width, 3}, at::kByte)
      .select(2, 0)
      .contiguous();
}

// [H, W] uint8, each byte's neighbours weighed by a normal distribution.
at::Tensor Blurred(const at::Tensor& grey, double deviation) {
  if (deviation <= 0) return grey;
  // As far as A1111's, so that what is blurred reaches as far.
  const auto radius = static_cast<int64_t>(2.5 * deviation + 0.5);
  const at::Tensor at = at::arange(-radius, radius + 1, at::kFloat) / deviation;
  at::Tensor kernel = at::exp(-0.5 * at * at);
  kernel = kernel / kernel.sum();
  at::Tensor x = grey.to(at::kFloat).unsqueeze(0).unsqueeze(0);
  x = at::conv2d(at::replication_pad2d(x, {radius, radius, 0, 0}),
                 kernel.view({1, 1, 1, -1}));
  x = at::conv2d(at::replication_pad2d(x, {0, 0, radius, radius}),
                 kernel.view({1, 1, -1, 1}));
  return at::round(x[0][0]).clamp(0, 255).to(at::kByte);
}

// Where `weight` [1, 1, H, W] is 0, the colours around it, from near for near
// and from far for far: means of ever larger cells, then back. `weighted`
// [1, 3, H, W] are colours times weight.
at::Tensor Surroundings(const at::Tensor& weighted, const at::Tensor& weight) {
  const at::Tensor known = weight > 0;
  const at::Tensor own = weighted / weight.clamp_min(1e-6);
  const int64_t height = weight.size(2);
  const int64_t width = weight.size(3);
  if (std::max(height, width) == 1 || known.all().item<bool>()) return own;
  const auto halved = [&](const at::Tensor& x) {
    return at::avg_pool2d(x, {2, 2}, {2, 2}, /*padding=*/0, /*ceil_mode=*/true,
                          /*count_include_pad=*/false);
  };
  const at::Tensor around = at::upsample_bilinear2d(
      Surroundings(halved(weighted), halved(weight)), {height, width},
      /*align_corners=*/false);
  return at::where(known, own, around);
}

// [1, 3, H, W] in [-1, 1] with what `mask` [1, 1, H, W] has replaced by what
// is around it.
at::Tensor WithSurroundings(const at::Tensor& picture, const at::Tensor& mask) {
  const at::Tensor weight = 1 - mask;
  return Surroundings(picture * weight, weight);
}

// [H, W] uint8 -> [1, 1, H, W] float32 of 0 and 1.
at::Tensor Cut(const at::Tensor& grey) {
  return (grey >= kHalf).to(at::kFloat).unsqueeze(0).unsqueeze(0);
}

// Begin and end, on a side of length `limit`, of a range grown to `wanted`.
void Grow(int& begin, int& length, int wanted, int limit) {
  const int grown = std::min(std::max(wanted, length), limit);
  begin = std::clamp(begin - (grown - length) / 2, 0, limit - grown);
  length = grown;
}

// What of `grey` is not 0, with `padding` around it, in the proportions of
// width x height as far as there is room.
Box RegionOf(const at::Tensor& grey, int padding, int width, int height) {
  const auto range = [&](int64_t other, int64_t side, int& begin, int& length) {
    const at::Tensor used = (grey > 0).any(other).nonzero();
    const int first = static_cast<int>(used[0].item<int64_t>());
    const int last = static_cast<int>(used[-1].item<int64_t>());
    begin = std::max(0, first - padding);
    length =
        static_cast<int>(std::min<int64_t>(side, last + 1 + padding)) - begin;
  };
  Box box;
  range(/*other=*/0, grey.size(1), box.x, box.width);
  range(/*other=*/1, grey.size(0), box.y, box.height);
  const double ratio = static_cast<double>(width) / height;
  Grow(box.x, box.width, static_cast<int>(std::lround(box.height * ratio)),
       static_cast<int>(grey.size(1)));
  Grow(box.y, box.height, static_cast<int>(std::lround(box.width / ratio)),
       static_cast<int>(grey.size(0)));
  return box;
}

// The picture with borders around it, in the colours of its own edges, and the
// mask of both.
struct Extended {
  Pixels picture;
  at::Tensor grey;
};

Extended ExtendedBy(const Pixels& picture, const at::Tensor& grey,
                    const MaskingPlan& plan) {
  const std::vector<int64_t> borders = {plan.left, plan.right, plan.top,
                                        plan.bottom};
  const at::Tensor known = at::zeros({1, 1, picture.height, picture.width});
  const at::Tensor added = at::constant_pad_nd(known, borders, 1);
  const at::Tensor larger = at::constant_pad_nd(ToTensor(picture), borders, 0);
  return {.picture = ToPixels(WithSurroundings(larger, added)),
          .grey = at::constant_pad_nd(grey, borders, 255)};
}

MaskedCanvas CanvasOf(const Pixels& picture, const Pixels& mask,
                      const MaskingPlan& plan) {
  const auto grey_of = [&](const Pixels& pixels) {
    return plan.invert ? 255 - GreyOf(pixels) : GreyOf(pixels);
  };
  const Box whole = {.width = plan.width, .height = plan.height};
  if (plan.only_masked.has_value()) {
    return {.pixels = picture, .alpha = grey_of(mask)};
  }
  const int width = plan.width - plan.left - plan.right;
  const int height = plan.height - plan.top - plan.bottom;
  Pixels fitted = FitToSize(picture, width, height, plan.resize_mode);
  at::Tensor grey =
      mask.rgb.empty()
          ? at::zeros({height, width}, at::kByte)
          : grey_of(FitToSize(mask, width, height, plan.resize_mode));
  if (plan.extends()) {
    Extended extended = ExtendedBy(fitted, grey, plan);
    fitted = std::move(extended.picture);
    grey = std::move(extended.grey);
  }
  return {.pixels = std::move(fitted),
          .alpha = std::move(grey),
          .region = whole,
          .inset = whole};
}

// [H, W] uint8 -> pixels of that grey.
Pixels PixelsOf(const at::Tensor& grey) {
  const at::Tensor rgb = grey.unsqueeze(2).expand({-1, -1, 3}).contiguous();
  return {.width = static_cast<int>(grey.size(1)),
          .height = static_cast<int>(grey.size(0)),
          .rgb = std::string(
              reinterpret_cast<const char*>(rgb.const_data_ptr<uint8_t>()),
              static_cast<size_t>(rgb.numel()))};
}

}  // namespace

absl::StatusOr<MaskedPicture> PrepareMasked(const Pixels& picture,
                                            const Pixels& mask,
                                            const MaskingPlan& plan) {
  MaskedPicture made = {.canvas = CanvasOf(picture, mask, plan)};
  MaskedCanvas& canvas = made.canvas;
  canvas.alpha = Blurred(canvas.alpha, plan.blur);
  if (!(canvas.alpha >= kHalf).any().item<bool>()) {
    return absl::InvalidArgumentError("leaves nothing to paint");
  }
  if (plan.only_masked.has_value()) {
    canvas.region =
        RegionOf(canvas.alpha, *plan.only_masked, plan.width, plan.height);
    canvas.inset = InsetOf(canvas.region, plan.width, plan.height);
  }
  const auto framed = [&](const Pixels& pixels) {
    return ToTensor(Framed(
        Scaled(pixels, canvas.region, canvas.inset.width, canvas.inset.height),
        canvas.inset, plan.width, plan.height));
  };
  made.picture = framed(canvas.pixels);
  const at::Tensor grey =
      GreyOf(Scaled(PixelsOf(canvas.alpha), canvas.region, canvas.inset.width,
                    canvas.inset.height));
  made.mask = at::constant_pad_nd(
      Cut(grey),
      {canvas.inset.x, plan.width - canvas.inset.x - canvas.inset.width,
       canvas.inset.y, plan.height - canvas.inset.y - canvas.inset.height});
  if (plan.fill_with_surroundings) {
    made.picture = WithSurroundings(made.picture, made.mask);
  }
  return made;
}

Pixels SeenInRegion(const MaskedCanvas& canvas, const Pixels& picture,
                    ResizeMode mode, int width, int height) {
  const Pixels whole =
      FitToSize(picture, canvas.pixels.width, canvas.pixels.height, mode);
  const Pixels part =
      Scaled(whole, canvas.region, canvas.inset.width, canvas.inset.height);
  return Framed(part, canvas.inset, width, height);
}

Pixels PastedInto(const MaskedCanvas& canvas, const Pixels& painted) {
  const Pixels part =
      Scaled(painted, canvas.inset, canvas.region.width, canvas.region.height);
  const Box& region = canvas.region;
  Pixels result = canvas.pixels;
  const at::Tensor alpha = canvas.alpha.narrow(0, region.y, region.height)
                               .narrow(1, region.x, region.width)
                               .contiguous();
  const uint8_t* weights = alpha.const_data_ptr<uint8_t>();
  for (int row = 0; row < region.height; ++row) {
    char* to = &result.rgb[(size_t{3} * (region.y + row) * result.width) +
                           size_t{3} * region.x];
    const char* from = &part.rgb[size_t{3} * row * region.width];
    for (int i = 0; i < 3 * region.width; ++i) {
      const int weight = weights[(row * region.width) + i / 3];
      const int own = static_cast<unsigned char>(to[i]);
      const int made = static_cast<unsigned char>(from[i]);
      to[i] =
          static_cast<char>((made * weight + own * (255 - weight) + 127) / 255);
    }
  }
  return result;
}

}  // namespace genzo
