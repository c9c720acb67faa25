#include "base/infotext_labels.h"

#include "absl/strings/str_cat.h"
#include "base/latent_modes.h"
#include "base/shortest_digits.h"

namespace genzo {
namespace {

using Control = v1::ControlInput;
using v1::HiresPass;
using v1::Inpainting;

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

}  // namespace

std::string HiresUpscalerLabel(const HiresPass& hires) {
  if (hires.upscale() == HiresPass::UPSCALE_LANCZOS) return "Lanczos";
  if (hires.upscale() == HiresPass::UPSCALE_NETWORK) return hires.upscaler();
  for (const auto& [name, mode] : kLatentModes) {
    if (hires.upscale() == mode) return name;
  }
  return kLatentModes[0].first;
}

const char* MaskedContentLabel(Inpainting::Fill fill) {
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

std::string ControlUnitLabel(const Control& control,
                             absl::string_view fitting) {
  std::string unit = absl::StrCat(
      "Module: ", ModuleOf(control.preprocessor()), ", Model: ", control.name(),
      ", Weight: ", ShortestDigits(control.weight()));
  if (!fitting.empty()) absl::StrAppend(&unit, ", Resize Mode: ", fitting);
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

}  // namespace genzo
