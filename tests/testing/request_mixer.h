#ifndef GENZO_TESTS_TESTING_REQUEST_MIXER_H_
#define GENZO_TESTS_TESTING_REQUEST_MIXER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "genzo/v1/image_generation.pb.h"
#include "genzo/v1/model_registry.pb.h"
#include "server/resolve/violations.h"
#include "tests/testing/draws.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/walk_mixer.h"

namespace genzo {

// Draws requests to one model that differ in everything that may share an
// evaluation, as far as the model takes it. Every one of them is sound.
class RequestMixer {
 public:
  // What there is beside the model.
  struct Beside {
    bool networks = false;  // canny and depth; plain and plus
    std::vector<std::string> loras = {};
  };

  RequestMixer(v1::Model model, Beside beside)
      : model_(std::move(model)), beside_(std::move(beside)), walks_(model_) {}

  v1::GenerateRequest Draw(Draws& draws) {
    v1::GenerateRequest request;
    request.set_prompt(
        draws.Choose<std::string>({"a fox", "fog", "", "a red ship"}));
    request.set_seed(draws.Below(1000));
    request.set_steps(1 + draws.Below(6));
    request.set_guidance_scale(draws.Choose<double>({1, 3, 7.5}));
    request.set_width(draws.Choose<uint32_t>({64, 64, WiderSide()}));
    request.set_height(64);
    request.set_reproducibility(draws.Choose<v1::Reproducibility>(
        {v1::REPRODUCIBILITY_FAST, v1::REPRODUCIBILITY_REPRODUCIBLE}));
    request.set_priority(draws.Choose<v1::Priority>(
        {v1::PRIORITY_LOW, v1::PRIORITY_NORMAL, v1::PRIORITY_HIGH}));
    request.mutable_output()->set_embed_parameters(false);
    AddFamilyFields(draws, request);
    AddSyntax(draws, request);
    AddSteering(draws, request);
    if (draws.OneIn(3)) {
      AddMask(draws, request);
    } else if (draws.OneIn(4)) {
      AddStart(draws, request);
    }
    if (beside_.networks) {
      AddControls(draws, request);
      AddImagePrompts(draws, request);
    }
    if (!beside_.loras.empty()) AddLoras(draws, request);
    if (Has("image_to_image.inversion") && draws.OneIn(4)) {
      AddInversion(draws, request);
    }
    if (Has("hires") && !request.has_image_to_image() && draws.OneIn(4)) {
      AddHires(draws, request);
    }
    walks_.Draw(draws, request);
    return request;
  }

 private:
  bool Has(const char* field) const { return Takes(model_, field); }

  uint32_t WiderSide() const { return 64 + model_.limits().size_multiple(); }

  // What only some families read: SDXL, SD3, FLUX.
  void AddFamilyFields(Draws& draws, v1::GenerateRequest& request) const {
    if (Has("prompt_2")) {
      request.set_prompt_2(draws.Choose<std::string>({"", "watercolour"}));
      request.set_negative_prompt(draws.Choose<std::string>({"", "people"}));
    }
    if (Has("prompt_3")) {
      request.set_prompt_3(draws.Choose<std::string>({"", "a long story"}));
    }
    if (Has("true_guidance_scale")) {
      request.set_true_guidance_scale(draws.Choose<double>({1, 4}));
    }
    if (Has("max_sequence_length")) {
      request.set_max_sequence_length(draws.Choose<uint32_t>({8, 24}));
    }
    if (Has("refiner.switch_at") && draws.OneIn(3)) {
      request.mutable_refiner()->set_switch_at(0.5);
    }
    if (Has("size_conditioning") && draws.OneIn(3)) {
      request.mutable_size_conditioning()->mutable_prompt()->set_crop_top(
          draws.Below(64));
    }
  }

  void AddSyntax(Draws& draws, v1::GenerateRequest& request) const {
    if (!Has("prompt_syntax") || !draws.OneIn(3)) return;
    request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
    request.set_prompt(draws.Choose<std::string>(
        {"a (red:1.4) fox", "a [dull] ship BREAK fog", "fog",
         "a [red:blue:0.5] fox", "[a|the (red:1.2)] ship", "[fog:2] BREAK a",
         "[a fox::1]"}));
    request.set_negative_prompt(draws.Choose<std::string>({"", "[fog:ice:3]"}));
  }

  // Other rows at other steps, other noise.
  void AddSteering(Draws& draws, v1::GenerateRequest& request) const {
    v1::GuidanceOptions guidance;
    switch (draws.Below(7)) {
      case 0:
        if (!Has("guidance.start")) return;
        guidance.set_start(draws.Choose<double>({0, 0.3}));
        guidance.set_end(0.7);
        break;
      case 1:
        if (!Has("guidance.perturbed_attention_scale")) return;
        guidance.set_perturbed_attention_scale(3);
        break;
      case 2:
        if (!Has("guidance.text_gate_step")) return;
        guidance.set_text_gate_step(1 + draws.Below(request.steps()));
        break;
      case 3:
        if (!Has("guidance.skip_layer_scale")) return;
        guidance.set_skip_layer_scale(2.8);
        break;
      case 4:
        if (!Has("variation")) return;
        request.mutable_variation()->set_seed(draws.Below(1000));
        request.mutable_variation()->set_strength(0.4);
        return;
      case 5:
        if (!Has("variation")) return;
        request.mutable_variation()->set_resize_from_width(WiderSide());
        request.mutable_variation()->set_resize_from_height(64);
        return;
      default:
        return;
    }
    *request.mutable_guidance() = guidance;
  }

  // Of a picture with a part that stays as it is.
  static void AddMask(Draws& draws, v1::GenerateRequest& request) {
    request.mutable_image_to_image()->set_image(Picture("rgb_png.png"));
    request.mutable_image_to_image()->set_strength(1);
    v1::Inpainting& inpainting = *request.mutable_inpainting();
    inpainting.mutable_mask()->set_data(Picture("bilevel.png"));
    inpainting.set_mask_blur(draws.Below(3));
    inpainting.set_only_masked(draws.OneIn(2));
    inpainting.set_fill(draws.Choose<v1::Inpainting::Fill>(
        {v1::Inpainting::FILL_ORIGINAL, v1::Inpainting::FILL_NOISE,
         v1::Inpainting::FILL_BLUR}));
  }

  // Of a picture that is begun with, some of the steps.
  static void AddStart(Draws& draws, v1::GenerateRequest& request) {
    request.set_steps(2 + draws.Below(4));
    request.mutable_image_to_image()->set_image(Picture("rgb_png.png"));
    request.mutable_image_to_image()->set_strength(
        draws.Choose<double>({0.5, 0.9}));
    if (request.has_guidance()) {
      request.mutable_guidance()->clear_text_gate_step();
    }
  }

  // A way up before the rest, of a picture of its own if there is none.
  static void AddInversion(Draws& draws, v1::GenerateRequest& request) {
    if (request.has_inpainting() || request.has_variation()) return;
    v1::ImageToImage& start = *request.mutable_image_to_image();
    if (start.image().empty()) {
      start.set_image(Picture("rgb_png.png"));
      start.set_strength(1);
    }
    v1::ImageToImage::Inversion& inversion = *start.mutable_inversion();
    inversion.set_steps(2 + draws.Below(4));
    inversion.set_guidance_scale(draws.Choose<double>({1, 1, 4}));
    if (draws.OneIn(2)) inversion.set_prompt("a dog");
  }

  static void AddHires(Draws& draws, v1::GenerateRequest& request) {
    v1::HiresPass& hires = *request.mutable_hires();
    hires.set_factor(draws.Choose<double>({1.25, 2}));
    hires.set_steps(2 + draws.Below(3));
    hires.set_strength(draws.Choose<double>({0.6, 1}));
    hires.set_upscale(draws.Choose<v1::HiresPass::Upscale>(
        {v1::HiresPass::UPSCALE_LATENT, v1::HiresPass::UPSCALE_LATENT_BICUBIC,
         v1::HiresPass::UPSCALE_LANCZOS}));
  }

  void AddLoras(Draws& draws, v1::GenerateRequest& request) const {
    for (size_t n = draws.Below(3); n > 0; --n) {
      v1::LoraUse& lora = *request.add_loras();
      lora.set_name(draws.Choose(beside_.loras));
      lora.set_weight(draws.Choose<double>({0.3, 1, -0.5}));
      if (draws.OneIn(3)) lora.set_text_encoder_weight(0);
      if (draws.OneIn(3)) lora.set_start(0.4);
      if (draws.OneIn(4)) {
        lora.add_block_weights()->set_block("down_blocks");
        lora.mutable_block_weights(0)->set_weight(0.5);
      }
    }
  }

  static void AddImagePrompts(Draws& draws, v1::GenerateRequest& request) {
    for (size_t n = draws.Below(5) / 3; n > 0; --n) {
      v1::ImagePrompt& prompt = *request.add_image_prompts();
      prompt.set_name(draws.Choose<std::string>({"plain", "plus"}));
      prompt.set_weight(draws.Choose<double>({0.4, 1}));
      prompt.add_pictures()->set_data(Picture("half_color.jpg"));
    }
  }

  // None, one or two of the folder's control networks.
  static void AddControls(Draws& draws, v1::GenerateRequest& request) {
    for (size_t n = draws.Below(3); n > 0; --n) {
      v1::ControlInput& control = *request.add_controls();
      control.set_name(draws.Choose<std::string>({"canny", "depth"}));
      control.mutable_picture()->set_data(Picture(
          draws.Choose<std::string>({"rgb_png.png", "half_color.jpg"})));
      control.set_preprocessor(draws.Choose<v1::ControlInput::Preprocessor>(
          {v1::ControlInput::PREPROCESSOR_NONE,
           v1::ControlInput::PREPROCESSOR_CANNY}));
      if (request.has_inpainting() && draws.OneIn(2)) {
        control.set_preprocessor(v1::ControlInput::PREPROCESSOR_INPAINT);
      }
      control.set_weight(draws.Choose<double>({0.5, 1}));
      control.set_end(draws.Choose<double>({0.5, 1}));
      control.set_guess_mode(draws.OneIn(3));
    }
  }

  static std::string Picture(const std::string& name) {
    return ReadFile(SourcePath("tests/data/pictures/" + name));
  }

  const v1::Model model_;
  const Beside beside_;
  WalkMixer walks_;
};

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_REQUEST_MIXER_H_
