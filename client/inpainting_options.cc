#include "client/inpainting_options.h"

#include <map>

#include "client/input_file.h"

namespace genzo {
namespace {

const std::map<std::string, v1::Inpainting::Fill>& Fills() {
  static const auto* const fills =
      new std::map<std::string, v1::Inpainting::Fill>{
          {"original", v1::Inpainting::FILL_ORIGINAL},
          {"noise", v1::Inpainting::FILL_NOISE},
          {"blur", v1::Inpainting::FILL_BLUR},
          {"nothing", v1::Inpainting::FILL_NOTHING}};
  return *fills;
}

}  // namespace

void InpaintingOptions::AddTo(CLI::App& command, CLI::Option* image) {
  CLI::App& c = command;
  auto* mask = c.add_option("--mask", mask_path_,
                            "a file of the size of --image: white is painted "
                            "anew, black stays as it is");
  mask->needs(image);
  c.add_flag("--mask-invert", invert_, "paint what is black instead")
      ->needs(mask);
  c.add_flag("--mask-transparency", is_transparency_,
             "paint what is transparent in --mask, whatever its colour")
      ->needs(mask);
  c.add_flag("--only-masked", only_masked_,
             "paint the masked region alone, as large as --width x --height, "
             "and paste it back")
      ->needs(mask);
  c.add_option("--mask-padding", padding_,
               "pixels around the region for --only-masked, 32 if absent")
      ->needs("--only-masked");
  c.add_option("--mask-blur", blur_,
               "how far the edge of what is painted is softened, in pixels")
      ->needs(image);
  std::vector<std::string> fills;
  for (const auto& [name, fill] : Fills()) fills.push_back(name);
  c.add_option("--fill", fill_, "what is painted over at --strength under 1")
      ->needs(image)
      ->transform(CLI::IsMember(fills, CLI::ignore_case));
  c.add_option("--extend", borders_,
               "LEFT,TOP,RIGHT,BOTTOM: pixels to paint around --image")
      ->delimiter(',')
      ->expected(4)
      ->needs(image);
}

absl::Status InpaintingOptions::Set(v1::GenerateRequest& request) const {
  v1::Inpainting inpainting;
  if (!mask_path_.empty()) {
    auto mask = ReadInputFile(mask_path_);
    if (!mask.ok()) return mask.status();
    inpainting.mutable_mask()->set_data(*std::move(mask));
  }
  if (blur_) inpainting.set_mask_blur(*blur_);
  if (!fill_.empty()) inpainting.set_fill(Fills().at(fill_));
  inpainting.set_only_masked(only_masked_);
  if (padding_) inpainting.set_padding(*padding_);
  inpainting.set_invert_mask(invert_);
  inpainting.set_mask_is_transparency(is_transparency_);
  // One that nothing was chosen of is none.
  if (inpainting.ByteSizeLong() > 0) {
    *request.mutable_inpainting() = std::move(inpainting);
  }
  if (borders_.empty()) return absl::OkStatus();
  v1::Outpainting& out = *request.mutable_outpainting();
  out.set_left(borders_[0]);
  out.set_top(borders_[1]);
  out.set_right(borders_[2]);
  out.set_bottom(borders_[3]);
  return absl::OkStatus();
}

}  // namespace genzo
