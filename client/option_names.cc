#include "client/option_names.h"

#include <utility>

#include "absl/strings/match.h"

namespace genzo {
namespace {

// Fields, or the messages that they are in: the longest that fits counts.
constexpr std::pair<const char*, const char*> kOptions[] = {
    {"best_of", "--best-of"},
    {"best_of.scorer", "--scorer"},
    {"class_label", "--class"},
    {"controls", "--control"},
    {"guidance.perturbed_attention_scale", "--perturbed-attention"},
    {"guidance.skip_layer_scale", "--skip-layer"},
    {"guidance.text_gate_step", "--text-gate"},
    {"guidance_scale", "--guidance"},
    {"hires", "--hires"},
    {"hires.height", "--hires-size"},
    {"hires.sampler", "--hires-sampler"},
    {"hires.schedule", "--hires-sampler"},
    {"hires.steps", "--hires-steps"},
    {"hires.strength", "--hires-strength"},
    {"hires.upscale", "--hires-upscaler"},
    {"hires.width", "--hires-size"},
    {"image_count", "--count"},
    {"image_guidance_scale", "--image-guidance"},
    {"image_prompts", "--image-prompt"},
    {"image_to_image", "--image"},
    {"image_to_image.inversion", "--invert"},
    {"image_to_image.inversion.guidance_scale", "--invert-guidance"},
    {"image_to_image.inversion.steps", "--invert-steps"},
    {"image_to_image.resize_mode", "--resize-mode"},
    {"image_to_image.strength", "--strength"},
    {"inpainting", "--mask"},
    {"inpainting.fill", "--fill"},
    {"inpainting.invert_mask", "--mask-invert"},
    {"inpainting.mask_blur", "--mask-blur"},
    {"inpainting.only_masked", "--only-masked"},
    {"inpainting.padding", "--mask-padding"},
    {"loras", "--lora"},
    {"max_sequence_length", "--max-tokens"},
    {"negative_prompt", "--negative"},
    {"negative_prompt_2", "--negative-2"},
    {"negative_prompt_3", "--negative-3"},
    {"noise_generator", "--noise"},
    {"outpainting", "--extend"},
    {"output.upscaler", "--upscaler"},
    {"preview.decoder", "--preview-decoder"},
    {"preview.longest_side", "--preview-size"},
    {"refiner.aesthetic_score", "--aesthetic-score"},
    {"refiner.switch_at", "--refine-at"},
    {"safety_policy", "--safety"},
    {"size_conditioning", "--original-size"},
    {"true_guidance_scale", "--true-guidance"},
    {"variation", "--variation"},
    {"variation.resize_from_height", "--resize-from"},
    {"variation.resize_from_width", "--resize-from"},
    {"variation.seed", "--variation-seed"},
};

// Whether `field` is `path` or stands in it.
bool IsIn(absl::string_view field, absl::string_view path) {
  return absl::StartsWith(field, path) &&
         (field.size() == path.size() || field[path.size()] == '.' ||
          field[path.size()] == '[');
}

}  // namespace

std::string OptionOf(absl::string_view field) {
  absl::string_view longest;
  std::string option;
  for (const auto& [path, name] : kOptions) {
    if (!IsIn(field, path) || absl::string_view(path).size() < longest.size()) {
      continue;
    }
    longest = path;
    option = name;
  }
  return option;
}

}  // namespace genzo
