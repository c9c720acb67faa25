#include "worker/engine/source_picture.h"

#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {
namespace {

constexpr char kImage[] = "image_to_image.image";
constexpr char kMask[] = "inpainting.mask.data";
constexpr PictureLimits kLimits = {.max_bytes = kMaxSourceBytes,
                                   .max_pixels = kMaxSourcePixels};

MaskingPlan PlanOf(const v1::GenerateRequest& request) {
  const v1::Inpainting& inpainting = request.inpainting();
  const v1::Outpainting& outpainting = request.outpainting();
  MaskingPlan plan = {
      .width = static_cast<int>(request.width()),
      .height = static_cast<int>(request.height()),
      .resize_mode = ResizeModeOf(request.image_to_image().resize_mode()),
      .blur = static_cast<double>(inpainting.mask_blur()),
      .invert = inpainting.invert_mask(),
      .fill_with_surroundings = inpainting.fill() == v1::Inpainting::FILL_BLUR,
      .left = static_cast<int>(outpainting.left()),
      .top = static_cast<int>(outpainting.top()),
      .right = static_cast<int>(outpainting.right()),
      .bottom = static_cast<int>(outpainting.bottom())};
  if (inpainting.only_masked()) {
    plan.only_masked = static_cast<int>(inpainting.padding());
  }
  return plan;
}

// The mask, of the size of `picture`; empty where the request has none.
absl::StatusOr<Pixels> ReadMask(const v1::Inpainting& inpainting,
                                const Pixels& picture) {
  if (inpainting.mask().data().empty()) return Pixels();
  auto mask =
      DecodeMask(inpainting.mask().data(), kLimits,
                 inpainting.mask_is_transparency() ? MaskSource::kTransparency
                                                   : MaskSource::kBrightness);
  if (!mask.ok()) return mask;
  if (mask->width != picture.width || mask->height != picture.height) {
    return absl::InvalidArgumentError(
        absl::StrCat("is ", mask->width, "x", mask->height, ", not ",
                     picture.width, "x", picture.height, " as ", kImage));
  }
  return mask;
}

}  // namespace

ResizeMode ResizeModeOf(v1::ResizeMode mode) {
  switch (mode) {
    case v1::RESIZE_MODE_STRETCH:
      return ResizeMode::kStretch;
    case v1::RESIZE_MODE_FILL:
      return ResizeMode::kFill;
    default:
      return ResizeMode::kCrop;
  }
}

absl::StatusOr<SourcePicture> ReadSourcePicture(
    const v1::GenerateRequest& request, int64_t divisor) {
  auto pixels = DecodePicture(request.image_to_image().image(), kLimits);
  if (!pixels.ok()) return FaultOfField(kImage, pixels.status());
  if (!request.has_inpainting() && !request.has_outpainting()) {
    return SourcePicture{
        .picture = ToTensor(
            FitToSize(*pixels, static_cast<int>(request.width() / divisor),
                      static_cast<int>(request.height() / divisor),
                      ResizeModeOf(request.image_to_image().resize_mode()))),
        .whole = std::make_shared<const Pixels>(*std::move(pixels))};
  }
  const auto mask = ReadMask(request.inpainting(), *pixels);
  if (!mask.ok()) return FaultOfField(kMask, mask.status());
  auto masked = PrepareMasked(*pixels, *mask, PlanOf(request));
  if (!masked.ok()) return FaultOfField(kMask, masked.status());
  return SourcePicture{.picture = masked->picture,
                       .mask = masked->mask,
                       .canvas = std::make_shared<const MaskedCanvas>(
                           std::move(masked->canvas))};
}

}  // namespace genzo
