#include "gateway/a1111_parameters.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/infotext_labels.h"
#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "gateway/sampler_labels.h"

namespace genzo {

using nlohmann::json;

namespace {

using Control = v1::ControlInput;
using v1::HiresPass;
using v1::Inpainting;

void TellOfMask(const Inpainting& part, json& told) {
  if (part.mask_blur() > 0) told["Mask blur"] = part.mask_blur();
  if (part.only_masked()) {
    told["Inpaint area"] = "Only masked";
    told["Masked area padding"] = part.padding();
  }
  if (part.invert_mask()) told["Mask mode"] = "Inpaint not masked";
  const std::string content = MaskedContentLabel(part.fill());
  if (!content.empty()) told["Masked content"] = content;
}

void TellOfHires(const v1::GenerateRequest& request, json& told) {
  const HiresPass& hires = request.hires();
  told["Hires resize"] = absl::StrCat(hires.width(), "x", hires.height());
  told["Hires upscaler"] = HiresUpscalerLabel(hires);
  // No model that rounds up has a second pass.
  told["Hires steps"] = StepsOfSecondPass(request, StepRounding::kDown);
  if (hires.sampler() != request.sampler()) {
    told["Hires sampler"] = LabelOf(hires.sampler());
  }
  if (hires.schedule() != request.schedule()) {
    told["Hires schedule type"] = LabelOf(hires.schedule());
  }
}

const char* ModeOf(v1::ResizeMode mode) {
  switch (mode) {
    case v1::RESIZE_MODE_STRETCH:
      return "Just Resize";
    case v1::RESIZE_MODE_FILL:
      return "Resize and Fill";
    default:
      return "Crop and Resize";
  }
}

}  // namespace

json A1111Parameters(const v1::GenerateRequest& request) {
  json told = {{"Schedule type", LabelOf(request.schedule())}};
  if (request.has_inpainting()) TellOfMask(request.inpainting(), told);
  if (request.has_hires()) TellOfHires(request, told);
  int unit = 0;
  for (const Control& control : request.controls()) {
    told[absl::StrCat("ControlNet ", unit++)] =
        ControlUnitLabel(control, ModeOf(control.resize_mode()));
  }
  for (const v1::ImagePrompt& prompt : request.image_prompts()) {
    told[absl::StrCat("ControlNet ", unit++)] =
        absl::StrCat("Module: ip-adapter-auto, Model: ", prompt.name(),
                     ", Weight: ", ShortestDigits(prompt.weight()));
  }
  return told;
}

}  // namespace genzo
