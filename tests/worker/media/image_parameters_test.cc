#include "worker/media/image_parameters.h"

#include <cstdlib>
#include <optional>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

v1::GenerateRequest Resolved() {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_steps(20);
  request.set_sampler(v1::SAMPLER_EULER_ANCESTRAL);
  request.set_guidance_scale(7.5);
  request.set_width(64);
  request.set_height(32);
  request.set_model("emaki");
  return request;
}

std::string TextOf(v1::GenerateRequest request,
                   std::optional<double> strength = std::nullopt) {
  if (strength.has_value()) {
    request.mutable_image_to_image()->set_strength(*strength);
  }
  return ImageParameters(request, 42)[0].second;
}

// What follows "KEY: " up to a comma, as the web UI reads it.
std::string ValueOf(const std::string& key, const std::string& text) {
  const size_t place = text.find(", " + key + ": ");
  if (place == std::string::npos) return "";
  const size_t begin = place + key.size() + 4;
  return text.substr(begin, text.find(',', begin) - begin);
}

TEST(ImageParametersTest, SaysHowToMakeItAgain) {
  v1::GenerateRequest request = Resolved();
  request.set_negative_prompt("snow");
  const PictureText text = ImageParameters(request, 42);
  EXPECT_EQ(text[0].first, "parameters");
  EXPECT_EQ(text[0].second,
            "a fox\nNegative prompt: snow\nSteps: 20, Sampler: Euler a, CFG "
            "scale: 7.5, Seed: 42, Size: 64x32, Model: emaki, RNG: CPU");
  EXPECT_THAT(text[1], ::testing::Pair("Software", "Genzo"));
}

TEST(ImageParametersTest, AdaptersAreTagsOfThePrompt) {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  for (const double weight : {0.8, 0.5}) {
    v1::LoraUse& lora = *request.add_loras();
    lora.set_name("ink");
    lora.set_weight(weight);
    lora.set_text_encoder_weight(0.8);
  }
  const std::string text = ImageParameters(request, 42)[0].second;
  EXPECT_EQ(text.substr(0, text.find('\n')),
            "a fox <lora:ink:0.8> <lora:ink:0.8:0.5>");
}

TEST(ImageParametersTest, SaysWhatWasRepaintedAndByWhichHint) {
  v1::GenerateRequest request = Resolved();
  v1::Inpainting& part = *request.mutable_inpainting();
  part.set_mask_blur(4);
  part.set_only_masked(true);
  part.set_padding(32);
  part.set_fill(v1::Inpainting::FILL_NOISE);
  v1::ControlInput& control = *request.add_controls();
  control.set_name("edges");
  control.set_preprocessor(v1::ControlInput::PREPROCESSOR_CANNY);
  control.set_canny_low(100);
  control.set_canny_high(200);
  control.set_weight(0.8);
  control.set_end(1);
  EXPECT_THAT(
      TextOf(request),
      HasSubstr(", Mask blur: 4, Inpaint area: Only masked, Masked area "
                "padding: 32, Masked content: latent noise, ControlNet 0: "
                "\"Module: canny, Model: edges, Weight: 0.8, Threshold A: 100, "
                "Threshold B: 200, Guidance Start: 0, Guidance End: 1, Control "
                "Mode: Balanced\""));
}

TEST(ImageParametersTest, HasNoLineForAnEmptyNegativePrompt) {
  EXPECT_THAT(TextOf(Resolved()), Not(HasSubstr("Negative prompt")));
}

TEST(ImageParametersTest, SaysHowItWasEnlarged) {
  v1::GenerateRequest request = Resolved();
  v1::HiresPass& hires = *request.mutable_hires();
  hires.set_width(128);
  hires.set_height(64);
  hires.set_steps(12);
  hires.set_strength(0.4);
  hires.set_sampler(v1::SAMPLER_DDIM);
  hires.set_upscale(v1::HiresPass::UPSCALE_LATENT_BICUBIC);
  EXPECT_THAT(TextOf(request),
              HasSubstr(", Denoising strength: 0.4, Hires resize: 128x64, "
                        "Hires steps: 4, Hires sampler: DDIM, Hires upscaler: "
                        "Latent (bicubic)"));
}

TEST(ImageParametersTest, SaysWithWhatTheFileWasEnlarged) {
  v1::GenerateRequest request = Resolved();
  EXPECT_THAT(TextOf(request), Not(HasSubstr("upscale")));
  request.mutable_output()->set_upscaler("realesrgan-x4");
  EXPECT_EQ(ValueOf("Postprocess upscaler", TextOf(request)), "realesrgan-x4");
  request.mutable_output()->set_upscaler("lanczos");
  EXPECT_THAT(TextOf(request), HasSubstr(", Postprocess upscale by: 2, "
                                         "Postprocess upscaler: lanczos, "));
}

TEST(ImageParametersTest, CountsClipLayersFromOne) {
  v1::GenerateRequest request = Resolved();
  EXPECT_EQ(ValueOf("Clip skip", TextOf(request)), "");
  request.set_clip_skip(1);
  EXPECT_EQ(ValueOf("Clip skip", TextOf(request)), "2");
}

TEST(ImageParametersTest, SpellsSamplersAsTheWebUiDoes) {
  const auto expect = [](v1::Sampler id, const std::string& sampler,
                         const std::string& schedule,
                         v1::NoiseSchedule asked = {}) {
    v1::GenerateRequest request = Resolved();
    request.set_sampler(id);
    request.set_schedule(asked);
    EXPECT_EQ(ValueOf("Sampler", TextOf(request)), sampler);
    EXPECT_EQ(ValueOf("Schedule type", TextOf(request)), schedule);
  };
  expect(v1::SAMPLER_DDIM, "DDIM", "");
  expect(v1::SAMPLER_PNDM, "PLMS", "");
  expect(v1::SAMPLER_EULER, "Euler", "");
  expect(v1::SAMPLER_EULER_ANCESTRAL, "Euler a", "");
  expect(v1::SAMPLER_DPMPP_2M, "DPM++ 2M", "Uniform");
  expect(v1::SAMPLER_DPMPP_2M, "DPM++ 2M", "Karras", v1::NOISE_SCHEDULE_KARRAS);
  expect(v1::SAMPLER_EULER, "Euler", "Exponential",
         v1::NOISE_SCHEDULE_EXPONENTIAL);
}

TEST(ImageParametersTest, EverySamplerHasItsSpelling) {
  const auto* samplers = v1::Sampler_descriptor();
  for (int i = 0; i < samplers->value_count(); ++i) {
    if (samplers->value(i)->number() == 0) continue;  // never in a resolved one
    v1::GenerateRequest request = Resolved();
    request.set_sampler(static_cast<v1::Sampler>(samplers->value(i)->number()));
    EXPECT_NE(ValueOf("Sampler", TextOf(request)), "?")
        << samplers->value(i)->name();
  }
}

TEST(ImageParametersTest, NamesTheGeneratorOfTheNoise) {
  v1::GenerateRequest request = Resolved();
  EXPECT_EQ(ValueOf("RNG", TextOf(request)), "CPU");
  request.set_noise_generator(v1::NOISE_GENERATOR_CUDA);
  EXPECT_EQ(ValueOf("RNG", TextOf(request)), "NV");
}

TEST(ImageParametersTest, NumbersComeBackToTheBit) {
  for (const double number : {7.123456789012, 0.1, 1.0 / 3, 100.0, 1e-7}) {
    v1::GenerateRequest request = Resolved();
    request.set_guidance_scale(number);
    request.set_guidance_rescale(number);
    request.set_eta(number);
    const std::string text = TextOf(request, number);
    for (const char* key :
         {"CFG scale", "CFG rescale", "Eta DDIM", "Denoising strength"}) {
      const std::string value = ValueOf(key, text);
      EXPECT_EQ(std::strtod(value.c_str(), nullptr), number)
          << key << ": " << value;
    }
  }
}

TEST(ImageParametersTest, NumbersAreAsShortAsCanBe) {
  v1::GenerateRequest request = Resolved();
  request.set_guidance_scale(7);
  EXPECT_EQ(ValueOf("CFG scale", TextOf(request)), "7");
  EXPECT_EQ(ValueOf("Denoising strength", TextOf(request, 0.7)), "0.7");
  EXPECT_EQ(ValueOf("Denoising strength", TextOf(request)), "");
}

TEST(ImageParametersTest, NothingStandsBehindTheLastLine) {
  v1::GenerateRequest request = Resolved();
  request.set_prompt("a fox\nSteps: 3, Sampler: x");
  EXPECT_THAT(TextOf(request), EndsWith("RNG: CPU"));
  EXPECT_EQ(TextOf(request).rfind("\nSteps: 20"), TextOf(request).rfind('\n'));
}

TEST(ImageParametersTest, TellsWhatAPictureWasInvertedBy) {
  v1::GenerateRequest request = Resolved();
  auto& inversion = *request.mutable_image_to_image()->mutable_inversion();
  inversion.set_prompt("a \"fox\", in snow");
  inversion.set_guidance_scale(1);
  inversion.set_steps(30);
  EXPECT_THAT(TextOf(request),
              HasSubstr("Decode prompt: \"a \\\"fox\\\", in snow\", Decode CFG "
                        "scale: 1, Decode steps: 30"));
}

}  // namespace
}  // namespace genzo
