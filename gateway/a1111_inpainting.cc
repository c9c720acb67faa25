#include "gateway/a1111_inpainting.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr int kMaxNumber = 1 << 16;  // the service's own limits are lower
constexpr int kDefaultBlur = 4;

// In the order of A1111's numbers.
constexpr v1::Inpainting::Fill kFills[] = {
    v1::Inpainting::FILL_BLUR, v1::Inpainting::FILL_ORIGINAL,
    v1::Inpainting::FILL_NOISE, v1::Inpainting::FILL_NOTHING};

// A number, or a truth value as clients write such flags.
bool Flag(FieldReader& reader, const std::string& name, bool default_value) {
  const nlohmann::json* value = reader.Any(name);
  if (value != nullptr && value->is_number()) {
    return reader.Whole(name, 0, 1).value_or(0) != 0;
  }
  return reader.Truth(name).value_or(default_value);
}

}  // namespace

void ReadA1111Mask(FieldReader& reader, v1::GenerateRequest& request) {
  const auto text = reader.Text("mask");
  if (!text.has_value() || text->empty()) return;
  auto mask = DecodePicture(*text);
  if (!mask.has_value()) {
    return reader.Fail("mask", "is not a picture in base64");
  }
  v1::Inpainting& inpainting = *request.mutable_inpainting();
  inpainting.mutable_mask()->set_data(*std::move(mask));
  // The newer names are those of a blur that differs across and down. The older
  // one sets both.
  const auto across = reader.Whole("mask_blur_x", 0, kMaxNumber);
  const auto down = reader.Whole("mask_blur_y", 0, kMaxNumber);
  const auto both = reader.Whole("mask_blur", 0, kMaxNumber);
  if (!both && across && down && *across != *down) {
    reader.Fail("mask_blur_x",
                absl::StrCat(*across, " is not mask_blur_y, ", *down,
                             ", but this server blurs masks evenly"));
  }
  inpainting.set_mask_blur(static_cast<uint32_t>(
      both.value_or(across.value_or(down.value_or(kDefaultBlur)))));
  inpainting.set_fill(
      kFills[reader.Whole("inpainting_fill", 0, 3).value_or(0)]);
  inpainting.set_only_masked(
      Flag(reader, "inpaint_full_res", /*default_value=*/true));
  inpainting.set_padding(static_cast<uint32_t>(
      reader.Whole("inpaint_full_res_padding", 0, kMaxNumber).value_or(0)));
  inpainting.set_invert_mask(
      Flag(reader, "inpainting_mask_invert", /*default_value=*/false));
  // A1111 has no name for it.
  if (const auto is = reader.Truth("mask_is_transparency")) {
    inpainting.set_mask_is_transparency(*is);
  }
}

}  // namespace genzo
