#include "gateway/a1111_words.h"

#include "absl/strings/str_cat.h"
#include "gateway/door_error.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

// The only fault of a body: "field|sentence".
std::string FaultOf(const absl::StatusOr<A1111Call>& call) {
  const auto faults = ViolationsIn(call.status());
  if (faults.size() != 1) return absl::StrCat(faults.size(), " faults");
  return absl::StrCat(faults[0].field, "|", faults[0].description);
}

TEST(A1111WordsTest, ThePicturesOwnNoiseMayBeStartedAt) {
  const auto call =
      ImageToImage({{"inversion", {{"prompt", "a cat"}, {"steps", 30}}}});
  ASSERT_THAT(call, IsOk());
  const v1::ImageToImage& from = call->request.image_to_image();
  EXPECT_EQ(from.inversion().prompt(), "a cat");
  EXPECT_EQ(from.inversion().steps(), 30u);
  EXPECT_FALSE(from.has_strength()) << "the way up has a default of its own";
  EXPECT_THAT(ImageToImage({{"inversion", {{"bogus", 1}}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "bogus"));
}

TEST(A1111WordsTest, WhatIsOfAPictureIsRefusedWithoutOne) {
  for (const auto& [name, value] : std::vector<std::pair<std::string, json>>{
           {"extend", {8, 0, 8, 0}},
           {"source_prompt", "a cat"},
           {"inversion", {{"steps", 3}}}}) {
    EXPECT_EQ(FaultOf(TextToImage({{name, value}})),
              name + "|" + name +
                  " is given, but txt2img has no picture that it is of");
  }
}

TEST(A1111WordsTest, AFileHasTheFormatOfEitherName) {
  const auto output = [](const json& body) {
    return TextToImage(body)->request.output();
  };
  EXPECT_EQ(output({{"output_format", "jpeg"}}).format(),
            v1::IMAGE_FORMAT_JPEG);
  const json webp = {{"samples_format", "webp"}};
  const v1::OutputOptions both =
      output({{"output_format", "png"}, {"override_settings", webp}});
  EXPECT_EQ(both.format(), v1::IMAGE_FORMAT_PNG) << "that is of all requests";
  const v1::OutputOptions smaller =
      output({{"output_compression", 0}, {"override_settings", webp}});
  EXPECT_EQ(smaller.quality(), 1u);
  EXPECT_EQ(smaller.format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_THAT(TextToImage({{"output_format", "gif"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "output_format \"gif\" is not one of"));
}

TEST(A1111WordsTest, APlainPromptIsTextAlone) {
  const std::string prompt = "a <lora:ink:1> CAT AND <hypernet:x:1>";
  const auto call = TextToImage({{"prompt", prompt},
                                 {"negative_prompt", "<lora:a>"},
                                 {"prompt_syntax", "plain"}});
  ASSERT_THAT(call, IsOk());
  EXPECT_FALSE(call->reads_grammar);
  EXPECT_EQ(call->request.prompt(), prompt);
  EXPECT_EQ(call->request.loras_size(), 0);
  EXPECT_TRUE(call->comments.empty());
  EXPECT_TRUE(TextToImage({{"prompt_syntax", "weighted"}})->reads_grammar);
  EXPECT_TRUE(TextToImage(json::object())->reads_grammar);
}

TEST(A1111WordsTest, WhatA1111HasANameForIsToldByIt) {
  for (const auto& [name, own] :
       {std::pair("num_inference_steps", "steps"),
        std::pair("strength", "denoising_strength"),
        std::pair("mask_fill", "inpainting_fill"),
        std::pair("only_masked", "inpaint_full_res"),
        std::pair("mask_padding", "inpaint_full_res_padding"),
        std::pair("invert_mask", "inpainting_mask_invert")}) {
    const std::string told =
        absl::StrCat(name, "|", name, " is called ", own, " here");
    EXPECT_EQ(FaultOf(TextToImage({{name, 1}})), told);
    EXPECT_EQ(FaultOf(ImageToImage({{name, 1}, {"mask", "aGk="}})), told);
    EXPECT_THAT(TextToImage({{name, nullptr}}), IsOk());
  }
}

// As SillyTavern, Forge's clients and others send to whatever is there.
TEST(A1111WordsTest, StrangersNamesArePassedOver) {
  EXPECT_THAT(TextToImage({{"clip_skip", 1},
                           {"n", 1},
                           {"model", "x"},
                           {"distilled_cfg_scale", 3.5},
                           {"hr_additional_modules", json::array()},
                           {"inpaint_full_res", true},
                           {"save_images", true}}),
              IsOk());
}

TEST(A1111WordsTest, OneThingHasOneName) {
  EXPECT_EQ(
      FaultOf(TextToImage({{"enable_hr", true}, {"hires", {{"factor", 2}}}})),
      "hires|hires is given, but so is enable_hr, A1111's name for the "
      "same");
  const json variation = {{"strength", 0.5}};
  EXPECT_EQ(FaultOf(TextToImage(
                {{"subseed_strength", 0.1}, {"variation", variation}})),
            "variation|variation is given, but so is subseed_strength, A1111's "
            "name for the same");
  EXPECT_EQ(FaultOf(TextToImage({{"seed_resize_from_w", 64},
                                 {"seed_resize_from_h", 64},
                                 {"variation", variation}})),
            "variation|variation is given, but so is seed_resize_from_w, "
            "A1111's name for the same");
  EXPECT_EQ(
      FaultOf(TextToImage({{"s_churn", 1}, {"churn", {{"amount", 2}}}})),
      "churn|churn is given, but so is s_churn, A1111's name for the same");
  EXPECT_EQ(FaultOf(ImageToImage(
                {{"image_cfg_scale", 2}, {"image_guidance_scale", 3}})),
            "image_guidance_scale|image_guidance_scale is given, but so is "
            "image_cfg_scale, A1111's name for the same");
  // Clients send A1111's names, off, with every body.
  const auto call = ImageToImage({{"enable_hr", false},
                                  {"subseed", -1},
                                  {"subseed_strength", 0},
                                  {"s_churn", 0},
                                  {"image_cfg_scale", 1.5},
                                  {"variation", variation},
                                  {"churn", {{"amount", 2}}},
                                  {"image_guidance_scale", 3}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.variation().strength(), 0.5);
  EXPECT_EQ(call->request.churn().amount(), 2);
  EXPECT_EQ(call->request.image_guidance_scale(), 3);
}

TEST(A1111WordsTest, AMasksTransparencyMayBeWhatIsPainted) {
  const auto call =
      ImageToImage({{"mask", "aGk="}, {"mask_is_transparency", true}});
  ASSERT_THAT(call, IsOk());
  EXPECT_TRUE(call->request.inpainting().mask_is_transparency());
}

TEST(A1111WordsTest, LatentsAreStartedFromAtA1111sStrength) {
  const auto strength = [](json body) {
    body["start_latents"] = "kept";
    return TextToImage(body)->request.image_to_image().strength();
  };
  EXPECT_EQ(strength({{"denoising_strength", 0.5}}), 0.5);
  EXPECT_EQ(strength(json::object()), 0.75) << "its own default";
  EXPECT_FALSE(
      TextToImage({{"denoising_strength", 0.5}})->request.has_image_to_image());
}

TEST(A1111WordsTest, PromptsAreNotComposed) {
  for (const char* composed :
       {"a cat AND a dog", "a cat\nAND\na dog", "a cat :1.2 AND(a dog)"}) {
    const auto call = TextToImage({{"prompt", composed}});
    ASSERT_THAT(call, IsOk());
    ASSERT_EQ(call->comments.size(), 1u) << composed;
    EXPECT_EQ(call->comments[0].find("prompt has AND"), 0u);
  }
  for (const char* text : {"sand and SAND", "ANDROID", "_AND_", "AN D", ""}) {
    EXPECT_TRUE(TextToImage({{"prompt", text}})->comments.empty()) << text;
  }
}

}  // namespace
}  // namespace genzo
