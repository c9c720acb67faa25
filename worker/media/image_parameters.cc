#include "worker/media/image_parameters.h"

#include "absl/strings/str_cat.h"
#include "base/infotext_labels.h"
#include "base/request_rules.h"
#include "base/sampler_spelling.h"
#include "base/shortest_digits.h"
#include "worker/media/parameter_words.h"

namespace genzo {
namespace {

// The adapters as the web UI has them, in the prompt: the text encoder's weight
// comes first and stands for the other where they agree.
std::string Tags(const v1::GenerateRequest& request) {
  std::string tags;
  for (const v1::LoraUse& lora : request.loras()) {
    absl::StrAppend(&tags, " <lora:", lora.name(), ":",
                    ShortestDigits(lora.text_encoder_weight()));
    if (lora.weight() != lora.text_encoder_weight()) {
      absl::StrAppend(&tags, ":", ShortestDigits(lora.weight()));
    }
    absl::StrAppend(&tags, ">");
  }
  return tags;
}

}  // namespace

PictureText ImageParameters(const v1::GenerateRequest& request, uint64_t seed,
                            uint64_t image_index) {
  std::string text = absl::StrCat(request.prompt(), Tags(request));
  if (!request.negative_prompt().empty()) {
    absl::StrAppend(&text, "\nNegative prompt: ", request.negative_prompt());
  }
  const SamplerLabels labels =
      LabelsOf({request.sampler(), request.schedule()});
  absl::StrAppend(&text, "\nSteps: ", request.steps(),
                  ", Sampler: ", labels.sampler);
  const auto add = [&](const char* key, const std::string& value) {
    absl::StrAppend(&text, ", ", key, ": ", value);
  };
  if (!labels.schedule.empty()) add("Schedule type", labels.schedule);
  add("CFG scale", ShortestDigits(request.guidance_scale()));
  add("Seed", absl::StrCat(seed));
  add("Size", absl::StrCat(request.width(), "x", request.height()));
  add("Model", request.model());
  if (request.has_image_to_image()) {
    add("Denoising strength",
        ShortestDigits(request.image_to_image().strength()));
  }
  if (request.image_to_image().has_inversion()) {
    // As the web UI's "img2img alternative test" calls them.
    const auto& inversion = request.image_to_image().inversion();
    add("Decode prompt", ParameterValue(inversion.prompt()));
    add("Decode CFG scale", ShortestDigits(inversion.guidance_scale()));
    add("Decode steps", absl::StrCat(inversion.steps()));
  }
  if (request.has_hires()) {
    const v1::HiresPass& hires = request.hires();
    const SamplerLabels hires_labels =
        LabelsOf({hires.sampler(), hires.schedule()});
    add("Denoising strength", ShortestDigits(hires.strength()));
    add("Hires resize", absl::StrCat(hires.width(), "x", hires.height()));
    // Those that are made, as the web UI counts them. No model that rounds up
    // has a second pass.
    add("Hires steps",
        absl::StrCat(StepsOfSecondPass(request, StepRounding::kDown)));
    add("Hires sampler", hires_labels.sampler);
    if (!hires_labels.schedule.empty()) {
      add("Hires schedule type", hires_labels.schedule);
    }
    add("Hires upscaler", ParameterValue(HiresUpscalerLabel(hires)));
  }
  if (request.has_inpainting()) {
    const v1::Inpainting& part = request.inpainting();
    if (part.mask_blur() > 0) add("Mask blur", absl::StrCat(part.mask_blur()));
    if (part.only_masked()) {
      add("Inpaint area", "Only masked");
      add("Masked area padding", absl::StrCat(part.padding()));
    }
    if (part.invert_mask()) add("Mask mode", "Inpaint not masked");
    const std::string content = MaskedContentLabel(part.fill());
    if (!content.empty()) add("Masked content", content);
  }
  for (int i = 0; i < request.controls_size(); ++i) {
    add(absl::StrCat("ControlNet ", i).c_str(),
        ParameterValue(ControlUnitLabel(request.controls(i))));
  }
  if (request.guidance_rescale() > 0) {
    add("CFG rescale", ShortestDigits(request.guidance_rescale()));
  }
  if (request.eta() > 0) add("Eta DDIM", ShortestDigits(request.eta()));
  if (request.has_churn()) {
    add("Sigma churn", ShortestDigits(request.churn().amount()));
  }
  if (request.clip_skip() > 0) {
    add("Clip skip", absl::StrCat(request.clip_skip() + uint64_t{1}));
  }
  const v1::Variation& variation = request.variation();
  if (variation.strength() > 0) {
    add("Variation seed", absl::StrCat(variation.seed() + image_index));
    add("Variation seed strength", ShortestDigits(variation.strength()));
  }
  if (variation.has_resize_from_width()) {
    add("Seed resize from", absl::StrCat(variation.resize_from_width(), "x",
                                         variation.resize_from_height()));
  }
  if (!request.output().upscaler().empty()) {
    v1::UpscaleRequest upscale;
    upscale.set_upscaler(request.output().upscaler());
    absl::StrAppend(&text, ", ", UpscaleParameters(upscale));
  }
  if (request.output().tiny_decoder()) add("VAE Decoder", "TAESD");
  const bool cuda = request.noise_generator() == v1::NOISE_GENERATOR_CUDA;
  // The web UI's name for CUDA's numbers on any hardware.
  add("RNG", cuda ? "NV" : "CPU");
  return {{kParametersKey, text}, {kSoftwareKey, "Genzo"}};
}

}  // namespace genzo
