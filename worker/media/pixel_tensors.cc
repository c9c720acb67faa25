#include "worker/media/pixel_tensors.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/_upsample_bilinear2d_aa.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/from_blob.h"
#include "ATen/ops/round.h"

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
