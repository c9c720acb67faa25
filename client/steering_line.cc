#include "client/steering_line.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "client/lora_options.h"
#include "client/sampler_names.h"

namespace genzo {
namespace {

void WriteMask(v1::GenerateRequest& request, CommandWriter& writer) {
  const v1::Inpainting& part = request.inpainting();
  if (part.has_mask()) writer.Add("--mask", "FILE");
  writer.Flag("--mask-invert", part.invert_mask());
  writer.Flag("--mask-transparency", part.mask_is_transparency());
  writer.Flag("--only-masked", part.only_masked());
  writer.Number("--mask-padding", part.only_masked() && part.has_padding(),
                part.padding());
  writer.Number("--mask-blur", part.mask_blur() > 0, part.mask_blur());
  if (part.fill() != v1::Inpainting::FILL_UNSPECIFIED) {
    const std::string name = v1::Inpainting::Fill_Name(part.fill());
    writer.Text("--fill", absl::AsciiStrToLower(name.substr(5)));  // FILL_
  }
  const v1::Outpainting& out = request.outpainting();
  if (request.has_outpainting()) {
    writer.Add("--extend", absl::StrCat(out.left(), ",", out.top(), ",",
                                        out.right(), ",", out.bottom()));
  }
  ClearFields({"inpainting", "outpainting"}, request);
}

void WriteLoras(v1::GenerateRequest& request, CommandWriter& writer) {
  for (const v1::LoraUse& lora : request.loras()) {
    const double weight = lora.has_weight() ? lora.weight() : 1;
    std::string text =
        absl::StrCat(EscapedLoraName(lora.name()), ":", ShortestDigits(weight));
    if (lora.has_text_encoder_weight() &&
        lora.text_encoder_weight() != weight) {
      absl::StrAppend(&text, ":", ShortestDigits(lora.text_encoder_weight()));
    }
    const double end = lora.has_end() ? lora.end() : 1;
    if (lora.start() > 0 || end < 1) {
      absl::StrAppend(&text, "@", ShortestDigits(lora.start()), "-",
                      ShortestDigits(end));
    }
    for (const v1::LoraBlockWeight& block : lora.block_weights()) {
      absl::StrAppend(&text, ",", EscapedLoraName(block.block()), "=",
                      ShortestDigits(block.weight()));
    }
    writer.Add("--lora", text);
  }
  ClearFields({"loras"}, request);
}

// Behind FILE; nothing for a hint that is used as it is.
std::string PreprocessorWord(const v1::ControlInput& control) {
  if (control.preprocessor() <= v1::ControlInput::PREPROCESSOR_NONE) return "";
  const std::string name =
      v1::ControlInput::Preprocessor_Name(control.preprocessor());
  return absl::StrCat(
      ",", absl::AsciiStrToLower(name.substr(strlen("PREPROCESSOR_"))));
}

// The same of how it becomes the size; nothing where that is its default.
std::string ResizeWord(const v1::ControlInput& control,
                       const v1::GenerateRequest& request) {
  const v1::ResizeMode mode = control.resize_mode();
  const v1::ResizeMode its = request.image_to_image().resize_mode();
  if (mode == v1::RESIZE_MODE_UNSPECIFIED ||
      mode == std::max(its, v1::RESIZE_MODE_CROP)) {
    return "";
  }
  return absl::StrCat(",", NameOf(ResizeModeNames(), mode));
}

void WriteControls(v1::GenerateRequest& request, CommandWriter& writer) {
  for (const v1::ControlInput& control : request.controls()) {
    std::string text =
        absl::StrCat(control.name(), "=FILE", PreprocessorWord(control));
    const auto add = [&](const char* word, bool is_set, double value) {
      if (is_set) absl::StrAppend(&text, word, ShortestDigits(value));
    };
    add(",low=", control.has_canny_low(), control.canny_low());
    add(",high=", control.has_canny_high(), control.canny_high());
    if (control.guess_mode()) absl::StrAppend(&text, ",guess");
    add(",start=", control.start() > 0, control.start());
    add(",end=", control.has_end() && control.end() < 1, control.end());
    absl::StrAppend(&text, ResizeWord(control, request));
    add(":", control.has_weight(), control.weight());
    writer.Add("--control", text);
  }
  for (const v1::ImagePrompt& prompt : request.image_prompts()) {
    // A weight begins a prompt, so that one adapter's two stay two.
    const double weight = prompt.has_weight() ? prompt.weight() : 1;
    for (int i = 0; i < std::max(prompt.pictures_size(), 1); ++i) {
      writer.Add("--image-prompt",
                 absl::StrCat(prompt.name(), "=FILE",
                              i == 0 ? ":" + ShortestDigits(weight) : ""));
    }
  }
  ClearFields({"controls", "image_prompts"}, request);
}

void WriteGuidance(v1::GenerateRequest& request, CommandWriter& writer) {
  const v1::GuidanceOptions& options = request.guidance();
  writer.Number("--guidance-start", options.start() > 0, options.start());
  writer.Number("--guidance-end", options.has_end() && options.end() < 1,
                options.end());
  writer.Number("--perturbed-attention",
                options.perturbed_attention_scale() > 0,
                options.perturbed_attention_scale());
  writer.Text("--perturbed-layers",
              absl::StrJoin(options.perturbed_layers(), ","));
  writer.Number("--skip-layer", options.skip_layer_scale() > 0,
                options.skip_layer_scale());
  writer.Numbers("--skip-layers", options.skip_layers());
  writer.Number("--text-gate", options.text_gate_step() > 0,
                options.text_gate_step());
  writer.Flag("--weighted",
              request.prompt_syntax() == v1::PROMPT_SYNTAX_WEIGHTED);
  ClearFields({"guidance", "prompt_syntax"}, request);
}

void WriteVariation(v1::GenerateRequest& request, CommandWriter& writer) {
  const v1::Variation& variation = request.variation();
  if (variation.strength() > 0) {
    writer.Number("--variation-seed", variation.has_seed(), variation.seed());
    writer.Number("--variation", true, variation.strength());
  }
  if (variation.has_resize_from_width()) {
    writer.Add("--resize-from", absl::StrCat(variation.resize_from_width(), ",",
                                             variation.resize_from_height()));
  }
  // Whether latents are kept changes no picture.
  ClearFields({"variation", "keep_latents"}, request);
}

void WriteInversion(const v1::ImageToImage& start, CommandWriter& writer) {
  const v1::ImageToImage::Inversion& inversion = start.inversion();
  writer.Flag("--invert", start.has_inversion());
  if (inversion.has_prompt()) {
    writer.Add("--invert-prompt", inversion.prompt());
  }
  writer.Number("--invert-guidance", inversion.has_guidance_scale(),
                inversion.guidance_scale());
  writer.Number("--invert-steps", inversion.has_steps(), inversion.steps());
}

std::string UpscaleName(const v1::HiresPass& hires) {
  if (hires.upscale() == v1::HiresPass::UPSCALE_NETWORK) {
    return hires.upscaler();
  }
  const std::string name = v1::HiresPass::Upscale_Name(hires.upscale());
  return absl::StrReplaceAll(absl::AsciiStrToLower(name.substr(8)),  // UPSCALE_
                             {{"_", "-"}});
}

void WriteHires(v1::GenerateRequest& request, CommandWriter& writer) {
  writer.Text("--upscaler", request.output().upscaler());
  if (request.has_output()) request.mutable_output()->clear_upscaler();
  if (!request.has_hires()) return;
  const v1::HiresPass& hires = request.hires();
  if (hires.has_width()) {
    writer.Add("--hires-size",
               absl::StrCat(hires.width(), ",", hires.height()));
  } else {
    writer.Number("--hires", true, hires.has_factor() ? hires.factor() : 2.0);
  }
  if (hires.upscale() != v1::HiresPass::UPSCALE_UNSPECIFIED) {
    writer.Text("--hires-upscaler", UpscaleName(hires));
  }
  writer.Number("--hires-steps", hires.has_steps(), hires.steps());
  writer.Number("--hires-strength", hires.has_strength(), hires.strength());
  if (hires.sampler() != v1::SAMPLER_UNSPECIFIED) {
    writer.Add("--hires-sampler", SamplerName({.sampler = hires.sampler(),
                                               .schedule = hires.schedule()}));
  }
  ClearFields({"hires"}, request);
}

}  // namespace

void WriteSteering(v1::GenerateRequest& request, CommandWriter& writer) {
  WriteMask(request, writer);
  WriteLoras(request, writer);
  WriteControls(request, writer);
  WriteGuidance(request, writer);
  WriteVariation(request, writer);
  WriteInversion(request.image_to_image(), writer);
  WriteHires(request, writer);
}

}  // namespace genzo
