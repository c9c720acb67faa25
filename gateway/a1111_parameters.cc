#include "gateway/a1111_parameters.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/latent_modes.h"
#include "base/request_rules.h"
#include "base/shortest_digits.h"
#include "gateway/sampler_labels.h"

namespace genzo {

using nlohmann::json;

namespace {

using Control = v1::ControlInput;
using v1::HiresPass;
using v1::Inpainting;

// Empty for what A1111 takes for granted.
const char* ContentOf(Inpainting::Fill fill) {
  switch (fill) {
    case Inpainting::FILL_BLUR:
      return "fill";
    case Inpainting::FILL_NOISE:
      return "latent noise";
    case Inpainting::FILL_NOTHING:
      return "latent nothing";
    default:
      return "";
  }
}

void TellOfMask(const Inpainting& part, json& told) {
  if (part.mask_blur() > 0) told["Mask blur"] = part.mask_blur();
  if (part.only_masked()) {
    told["Inpaint area"] = "Only masked";
    told["Masked area padding"] = part.padding();
  }
  if (part.invert_mask()) told["Mask mode"] = "Inpaint not masked";
  const std::string content = ContentOf(part.fill());
  if (!content.empty()) told["Masked content"] = content;
}

std::string UpscalerOf(const HiresPass& hires) {
  if (hires.upscale() == HiresPass::UPSCALE_LANCZOS) return "Lanczos";
  if (hires.upscale() == HiresPass::UPSCALE_NETWORK) return hires.upscaler();
  for (const auto& [name, mode] : kLatentModes) {
    if (hires.upscale() == mode) return name;
  }
  return kLatentModes[0].first;
}

void TellOfHires(const v1::GenerateRequest& request, json& told) {
  const HiresPass& hires = request.hires();
  told["Hires resize"] = absl::StrCat(hires.width(), "x", hires.height());
  told["Hires upscaler"] = UpscalerOf(hires);
  // No model that rounds up has a second pass.
  told["Hires steps"] = StepsOfSecondPass(request, StepRounding::kDown);
  if (hires.sampler() != request.sampler()) {
    told["Hires sampler"] = LabelOf(hires.sampler());
  }
  if (hires.schedule() != request.schedule()) {
    told["Hires schedule type"] = LabelOf(hires.schedule());
  }
}

const char* ModuleOf(Control::Preprocessor preprocessor) {
  switch (preprocessor) {
    case Control::PREPROCESSOR_CANNY:
      return "canny";
    case Control::PREPROCESSOR_TILE:
      return "tile_resample";
    case Control::PREPROCESSOR_INPAINT:
      return "inpaint_only";
    default:
      return "none";
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

std::string UnitOf(const Control& control) {
  std::string unit = absl::StrCat(
      "Module: ", ModuleOf(control.preprocessor()), ", Model: ", control.name(),
      ", Weight: ", ShortestDigits(control.weight()),
      ", Resize Mode: ", ModeOf(control.resize_mode()));
  if (control.preprocessor() == Control::PREPROCESSOR_CANNY) {
    absl::StrAppend(&unit, ", Threshold A: ", control.canny_low(),
                    ", Threshold B: ", control.canny_high());
  }
  absl::StrAppend(
      &unit, ", Guidance Start: ", ShortestDigits(control.start()),
      ", Guidance End: ", ShortestDigits(control.end()), ", Control Mode: ",
      control.guess_mode() ? "ControlNet is more important" : "Balanced");
  return unit;
}

}  // namespace

json A1111Parameters(const v1::GenerateRequest& request) {
  json told = {{"Schedule type", LabelOf(request.schedule())}};
  if (request.has_inpainting()) TellOfMask(request.inpainting(), told);
  if (request.has_hires()) TellOfHires(request, told);
  int unit = 0;
  for (const Control& control : request.controls()) {
    told[absl::StrCat("ControlNet ", unit++)] = UnitOf(control);
  }
  for (const v1::ImagePrompt& prompt : request.image_prompts()) {
    told[absl::StrCat("ControlNet ", unit++)] =
        absl::StrCat("Module: ip-adapter-auto, Model: ", prompt.name(),
                     ", Weight: ", ShortestDigits(prompt.weight()));
  }
  return told;
}

}  // namespace genzo
