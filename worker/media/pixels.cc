#include "worker/media/pixels.h"

#include <algorithm>

#include "ATen/TensorOperators.h"
#include "ATen/ops/_upsample_bilinear2d_aa.h"
#include "ATen/ops/clamp.h"
#include "ATen/ops/round.h"
#include "absl/strings/str_cat.h"

namespace genzo {

absl::Status CheckPixels(const Pixels& pixels) {
  const size_t expected = size_t{3} * pixels.width * pixels.height;
  if (pixels.width > 0 && pixels.height > 0 && pixels.rgb.size() == expected) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat("a picture of ", pixels.width, "x",
                                          pixels.height, " has ",
                                          pixels.rgb.size(), " bytes"));
}

Pixels ToPixels(const at::Tensor& decoded) {
  const at::Tensor chw =
      (decoded.dim() == 4 ? decoded[0] : decoded).to(at::kCPU, at::kFloat);
  const at::Tensor bytes = at::round(at::clamp(chw / 2 + 0.5, 0, 1) * 255)
                               .to(at::kByte)
                               .permute({1, 2, 0})
                               .contiguous();  // [H, W, 3]
  return {.width = static_cast<int>(bytes.size(1)),
          .height = static_cast<int>(bytes.size(0)),
          .rgb = std::string(
              reinterpret_cast<const char*>(bytes.const_data_ptr<uint8_t>()),
              static_cast<size_t>(bytes.numel()))};
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
