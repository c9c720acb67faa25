#include "worker/media/pixel_tensors.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/_upsample_bilinear2d_aa.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/round.h"
#include "worker/media/picture_resampling.h"

namespace genzo {
namespace {

// [1, 3, H, W] uint8 in the order of bytes that `pixels` has. Borrows them;
// the tensor is read only, but its type does not say so.
at::Tensor Borrowed(const Pixels& pixels) {
  return at::from_blob(const_cast<char*>(pixels.rgb.data()),
                       {1, pixels.height, pixels.width, 3}, at::kByte)
      .permute({0, 3, 1, 2});
}

// From [3, H, W] uint8.
Pixels FromBytes(const at::Tensor& chw) {
  const at::Tensor hwc = chw.permute({1, 2, 0}).contiguous();
  return {.width = static_cast<int>(hwc.size(1)),
          .height = static_cast<int>(hwc.size(0)),
          .rgb = std::string(
              reinterpret_cast<const char*>(hwc.const_data_ptr<uint8_t>()),
              static_cast<size_t>(hwc.numel()))};
}

// How much of `side` is kept for `target`, where `other` is kept whole for
// `other_target`.
int Kept(int64_t side, int64_t other, int64_t target, int64_t other_target) {
  const int64_t kept = (other * target + other_target / 2) / other_target;
  return static_cast<int>(std::clamp<int64_t>(kept, 1, side));
}

}  // namespace

Pixels ToPixels(const at::Tensor& decoded) {
  const at::Tensor chw =
      (decoded.dim() == 4 ? decoded[0] : decoded).to(at::kCPU, at::kFloat);
  return FromBytes(
      at::round(at::clamp(chw / 2 + 0.5, 0, 1) * 255).to(at::kByte));
}

at::Tensor ToTensor(const Pixels& pixels) {
  return Borrowed(pixels).to(at::kFloat).contiguous() / 255 * 2 - 1;
}

Pixels Scaled(const Pixels& pixels, const Box& box, int width, int height) {
  const bool is_whole =
      box.width == pixels.width && box.height == pixels.height;
  if (is_whole && box.width == width && box.height == height) return pixels;
  const at::Tensor part =
      Borrowed(pixels).narrow(2, box.y, box.height).narrow(3, box.x, box.width);
  if (box.width == width && box.height == height) return FromBytes(part[0]);
  return ResampleTo(is_whole ? pixels : FromBytes(part[0]),
                    ResamplingFilter::kLanczos, width, height);
}

Pixels FitToSize(const Pixels& pixels, int width, int height) {
  const int kept_width = Kept(pixels.width, pixels.height, width, height);
  const int kept_height = Kept(pixels.height, pixels.width, height, width);
  return Scaled(pixels,
                {.x = (pixels.width - kept_width) / 2,
                 .y = (pixels.height - kept_height) / 2,
                 .width = kept_width,
                 .height = kept_height},
                width, height);
}

at::Tensor ShrinkToSide(const at::Tensor& decoded, int64_t longest_side) {
  const int64_t height = decoded.size(2);
  const int64_t width = decoded.size(3);
  const int64_t longest = std::max(height, width);
  if (longest_side == 0 || longest <= longest_side) return decoded;
  const auto scaled = [&](int64_t side) {
    return std::max<int64_t>(1, (side * longest_side + longest / 2) / longest);
  };
  return at::_upsample_bilinear2d_aa(decoded, {scaled(height), scaled(width)},
                                     /*align_corners=*/false);
}

}  // namespace genzo
