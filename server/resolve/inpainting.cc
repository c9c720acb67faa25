#include "server/resolve/inpainting.h"

#include <string_view>

#include "absl/strings/str_cat.h"
#include "base/pictures/picture_probe.h"

namespace genzo {
namespace {

constexpr uint32_t kMaxBlur = 64;
constexpr uint32_t kMaxPadding = 256;
constexpr uint32_t kDefaultPadding = 32;
constexpr uint64_t kLeastSide = 8;  // of the picture between its borders
constexpr char kMask[] = "inpainting.mask";
constexpr char kMaskData[] = "inpainting.mask.data";

// Exif behind a PNG's data may turn one of them, so that only the worker can
// tell for certain.
bool MayBeOfOneSize(const PictureHeader& a, const PictureHeader& b) {
  const auto may_be_turned = [](const PictureHeader& header) {
    return header.format == std::string_view("PNG");
  };
  const int width = b.shown_width();
  const int height = b.shown_height();
  return (a.shown_width() == width && a.shown_height() == height) ||
         ((may_be_turned(a) || may_be_turned(b)) && a.shown_width() == height &&
          a.shown_height() == width);
}

void CheckMask(const v1::GenerateRequest& request, Violations& violations) {
  const auto mask = ProbePicture(request.inpainting().mask().data());
  const auto picture = ProbePicture(request.image_to_image().image());
  if (!mask.ok() || !picture.ok() || MayBeOfOneSize(*mask, *picture)) return;
  violations.Add(
      kMaskData,
      absl::StrCat(kMaskData, " is ", mask->shown_width(), "x",
                   mask->shown_height(), ", not ", picture->shown_width(), "x",
                   picture->shown_height(), " as image_to_image.image"));
}

void ResolveMask(const RequestLimits& limits, v1::GenerateRequest& request,
                 Violations& violations) {
  v1::Inpainting& inpainting = *request.mutable_inpainting();
  const auto most = static_cast<size_t>(limits.max_image_bytes);
  if (inpainting.has_mask() || !request.has_outpainting()) {
    violations.ResolvePicture(kMask, most, *inpainting.mutable_mask());
    const size_t bytes = inpainting.mask().data().size();
    if (bytes > 0 && bytes <= most) CheckMask(request, violations);
  }
  violations.CheckRange("inpainting.mask_blur", inpainting.mask_blur(), 0u,
                        kMaxBlur);
  violations.CheckEnum("inpainting.fill", inpainting.fill(),
                       *v1::Inpainting::Fill_descriptor());
  if (!inpainting.has_padding()) inpainting.set_padding(kDefaultPadding);
  violations.CheckRange("inpainting.padding", inpainting.padding(), 0u,
                        kMaxPadding);
  if (inpainting.only_masked() && request.has_outpainting()) {
    violations.Add("inpainting.only_masked",
                   "inpainting.only_masked does not go with outpainting");
  }
}

void CheckBorders(const v1::GenerateRequest& request, Violations& violations) {
  const v1::Outpainting& out = request.outpainting();
  const uint64_t across = uint64_t{out.left()} + out.right();
  const uint64_t down = uint64_t{out.top()} + out.bottom();
  if (across + down == 0) {
    violations.Add("outpainting", "outpainting has no border over 0");
  }
  const auto check = [&](const char* field, uint64_t borders, const char* side,
                         uint64_t whole) {
    if (borders + kLeastSide <= whole || borders == 0) return;
    violations.Add(field, absl::StrCat(field, " ", borders, " in all leave of ",
                                       side, " ", whole, " less than ",
                                       kLeastSide, " pixels for the picture"));
  };
  check(out.left() > 0 ? "outpainting.left" : "outpainting.right", across,
        "width", request.width());
  check(out.top() > 0 ? "outpainting.top" : "outpainting.bottom", down,
        "height", request.height());
}

}  // namespace

void FillSizeOfPart(const v1::Model& model, v1::GenerateRequest& request) {
  if (!PaintsAPart(request) || request.inpainting().only_masked()) return;
  const bool has_mask = request.inpainting().has_mask();
  const auto picture =
      ProbePicture(has_mask ? request.inpainting().mask().data()
                            : request.image_to_image().image());
  if (!picture.ok()) return;
  const uint64_t multiple = std::max(model.limits().size_multiple(), 1u);
  const auto rounded = [&](uint64_t side) {
    return static_cast<uint32_t>(std::max(multiple, side - side % multiple));
  };
  const auto width = static_cast<uint64_t>(picture->shown_width());
  const auto height = static_cast<uint64_t>(picture->shown_height());
  const v1::Outpainting& out = request.outpainting();
  if (!request.has_width()) {
    request.set_width(rounded(uint64_t{out.left()} + out.right() + width));
  }
  if (!request.has_height()) {
    request.set_height(rounded(uint64_t{out.top()} + out.bottom() + height));
  }
}

void ResolveInpainting(const v1::Model& model, const RequestLimits& limits,
                       v1::GenerateRequest& request, Violations& violations) {
  if (!PaintsAPart(request)) return;
  const char* field = request.has_inpainting() ? "inpainting" : "outpainting";
  violations.CheckTask(v1::TASK_INPAINTING, field, model);
  if (!request.has_image_to_image()) {
    violations.Add(field, absl::StrCat(field,
                                       ": image_to_image is missing, "
                                       "the picture that it is of"));
  }
  if (request.has_inpainting()) ResolveMask(limits, request, violations);
  if (request.has_outpainting()) CheckBorders(request, violations);
}

}  // namespace genzo
