#include "gateway/a1111_answers.h"

#include "base/pictures/picture_file.h"
#include "gateway/a1111_blank.h"
#include "gateway/a1111_parameters.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

TEST(A1111ParametersTest, AMaskIsToldInA1111sWords) {
  const json told = A1111Parameters(
      ImageToImage({{"mask", "aGk="}, {"inpaint_full_res_padding", 32}})
          ->request);
  EXPECT_EQ(told["Mask blur"], 4);
  EXPECT_EQ(told["Inpaint area"], "Only masked");
  EXPECT_EQ(told["Masked area padding"], 32);
  EXPECT_EQ(told["Masked content"], "fill");
  EXPECT_FALSE(told.contains("Mask mode"));
  const json other =
      A1111Parameters(ImageToImage({{"mask", "aGk="},
                                    {"mask_blur", 0},
                                    {"inpaint_full_res", false},
                                    {"inpainting_fill", 2},
                                    {"inpainting_mask_invert", 1}})
                          ->request);
  EXPECT_FALSE(other.contains("Mask blur"));
  EXPECT_FALSE(other.contains("Inpaint area")) << "the whole picture";
  EXPECT_EQ(other["Masked content"], "latent noise");
  EXPECT_EQ(other["Mask mode"], "Inpaint not masked");
}

TEST(A1111ParametersTest, UnitsAreToldAsTheExtensionReadsThem) {
  v1::GenerateRequest request;
  v1::ControlInput& edges = *request.add_controls();
  edges.set_name("canny");
  edges.set_preprocessor(v1::ControlInput::PREPROCESSOR_CANNY);
  edges.set_weight(0.5);
  edges.set_start(0);
  edges.set_end(0.75);
  edges.set_canny_low(100);
  edges.set_canny_high(200);
  v1::ImagePrompt& prompt = *request.add_image_prompts();
  prompt.set_name("ip-adapter");
  prompt.set_weight(1);
  const json told = A1111Parameters(request);
  EXPECT_EQ(told["ControlNet 0"],
            "Module: canny, Model: canny, Weight: 0.5, Resize Mode: Crop and "
            "Resize, Threshold A: 100, Threshold B: 200, Guidance Start: 0, "
            "Guidance End: 0.75, Control Mode: Balanced");
  EXPECT_EQ(told["ControlNet 1"],
            "Module: ip-adapter-auto, Model: ip-adapter, Weight: 1");
}

// Those that are made, of 15 at that strength.
TEST(A1111ParametersTest, ASecondPassHasTheStepsThatItMakes) {
  v1::GenerateRequest request;
  v1::HiresPass& hires = *request.mutable_hires();
  hires.set_steps(15);
  hires.set_strength(0.7);
  hires.set_width(96);
  hires.set_height(64);
  hires.set_upscale(v1::HiresPass::UPSCALE_LATENT_BICUBIC);
  const json told = A1111Parameters(request);
  EXPECT_EQ(told["Hires steps"], 10);
  EXPECT_EQ(told["Hires resize"], "96x64");
  EXPECT_EQ(told["Hires upscaler"], "Latent (bicubic)");
}

TEST(A1111BlankTest, ABlackPictureIsBlack) {
  const std::string png = BlackPng(24, 16);
  const auto file = OpenPicture(png);
  ASSERT_THAT(file, IsOk());
  EXPECT_EQ((*file)->header().width, 24);
  EXPECT_EQ((*file)->header().height, 16);
  const auto pixels = (*file)->Read();
  ASSERT_THAT(pixels, IsOk());
  ASSERT_EQ(pixels->rgba.size(), 24u * 16 * 4);
  for (size_t i = 0; i < pixels->rgba.size(); ++i) {
    ASSERT_EQ(pixels->rgba[i], i % 4 == 3 ? '\xFF' : '\0') << i;
  }
}

// Three of four, of which the second was painted and the last failed.
TEST(A1111BlankTest, WhatWasWithheldIsBlackInItsPlace) {
  Painting painting;
  painting.resolved.set_image_count(4);
  painting.resolved.set_seed(5);
  painting.resolved.set_width(24);
  painting.resolved.set_height(16);
  painting.resolved.mutable_hires()->set_width(48);
  painting.resolved.mutable_hires()->set_height(32);
  painting.images[1].mutable_picture()->set_data("done");
  painting.withheld = 2;
  BlackOutWithheld(painting);
  ASSERT_EQ(painting.images.size(), 3u);
  EXPECT_EQ(painting.images[1].picture().data(), "done");
  EXPECT_EQ(painting.images[0].picture().data(), BlackPng(48, 32));
  EXPECT_EQ(painting.images[2].seed(), 7u);
  const json info = A1111Info(painting, /*batch_size=*/4, {"a word"});
  EXPECT_EQ(info["comments"], "a word\n2 withheld by the server's policy");
  EXPECT_EQ(info["all_seeds"].size(), 3u);
  EXPECT_EQ(info["extra_generation_params"]["Images"][0]["safety"], "withheld");
}

TEST(A1111BlankTest, WithoutAnyNothingIsAdded) {
  Painting painting;
  painting.resolved.set_image_count(2);
  BlackOutWithheld(painting);
  EXPECT_TRUE(painting.images.empty());
}

}  // namespace
}  // namespace genzo
