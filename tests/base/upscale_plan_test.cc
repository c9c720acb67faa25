#include "base/upscale_plan.h"

#include "base/upscaler_catalog.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::Upscaler ByTwo() {
  v1::Upscaler upscaler;
  upscaler.set_name("two");
  upscaler.set_scale(2);
  return upscaler;
}

TEST(UpscalePlanTest, GoesThroughTheNetworkUntilItCovers) {
  using Sizes = std::vector<PixelSize>;
  EXPECT_EQ(UpscalePasses({200, 100}, 2, {500, 500}),
            Sizes({{400, 200}, {800, 400}, {1600, 800}}));
  EXPECT_EQ(UpscalePasses({200, 100}, 4, {100, 50}), Sizes({{800, 400}}));
  EXPECT_EQ(UpscalePasses({10, 10}, 2, {500, 500}).size(), 3u);  // and no more
  EXPECT_EQ(UpscalePasses({10, 10}, /*scale=*/0, {500, 500}).size(), 0u);
}

TEST(UpscalePlanTest, SizesComeFromFactorOrScaleOrTheRequest) {
  v1::UpscaleRequest request;
  EXPECT_EQ(PlanUpscale(request, ByTwo(), {21, 13})->result,
            PixelSize({42, 26}));
  EXPECT_EQ(PlanUpscale(request, {}, {21, 13})->result, PixelSize({42, 26}));
  request.set_factor(1.5);
  EXPECT_EQ(PlanUpscale(request, ByTwo(), {21, 13})->result,
            PixelSize({31, 19}));
  request.clear_factor();
  request.set_width(7);
  request.set_height(8);
  EXPECT_EQ(PlanUpscale(request, ByTwo(), {21, 13})->result, PixelSize({7, 8}));
}

TEST(UpscalePlanTest, WhatWouldBeTooLargeIsNamed) {
  v1::UpscaleRequest request;
  request.set_factor(9);
  EXPECT_THAT(PlanUpscale(request, ByTwo(), {1000, 10}),
              StatusIs(kInvalid, "factor 9 makes 9000x90 of 1000x10"));
  request.set_factor(0.01);
  EXPECT_THAT(PlanUpscale(request, ByTwo(), {1000, 10}),
              StatusIs(kInvalid, "factor 0.01 makes 10x0"));
  request.clear_factor();
  request.set_width(8192);
  request.set_height(8192);
  EXPECT_THAT(PlanUpscale(request, ByTwo(), {10, 10}),
              StatusIs(kInvalid, "width and height make 8192x8192"));
  request.set_width(10);
  request.set_height(10);
  EXPECT_THAT(PlanUpscale(request, ByTwo(), {7000, 7000}),
              StatusIs(kInvalid, "picture of 7000x7000 becomes 14000x14000"));
}

TEST(UpscalePlanTest, TheSecondPassIsAStartAtTheLargerSize) {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_width(64);
  request.set_height(64);
  request.set_steps(20);
  request.add_sigmas(1);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.set_eta(0.5);
  v1::HiresPass& hires = *request.mutable_hires();
  hires.set_width(128);
  hires.set_height(96);
  hires.set_steps(10);
  hires.set_strength(0.4);
  hires.set_sampler(v1::SAMPLER_EULER);
  hires.set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  const v1::GenerateRequest second = SecondPass(request);
  EXPECT_EQ(second.prompt(), "a fox");
  EXPECT_EQ(second.width(), 128u);
  EXPECT_EQ(second.height(), 96u);
  EXPECT_EQ(second.steps(), 10u);
  EXPECT_EQ(second.image_to_image().strength(), 0.4);
  EXPECT_EQ(second.sampler(), v1::SAMPLER_EULER);
  EXPECT_EQ(second.schedule(), v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_FALSE(second.has_eta());  // which was the other sampler's
  EXPECT_FALSE(second.has_hires());
  EXPECT_TRUE(second.sigmas().empty());
}

TEST(UpscalerCatalogTest, FindsByNameAndListsWhatItKnows) {
  UpscalerCatalog catalog;
  EXPECT_EQ(catalog.Get("")->upscaler.name(), "lanczos");
  EXPECT_TRUE(catalog.Put({ByTwo(), "/two"}));
  EXPECT_FALSE(catalog.Put({ByTwo(), "/other"}));
  EXPECT_EQ(catalog.Get("")->path, "/two");
  EXPECT_THAT(catalog.Get("../two"),
              StatusIs(absl::StatusCode::kNotFound,
                       "\"../two\" is not the name of an upscaler; known are: "
                       "lanczos, two"));
}

}  // namespace
}  // namespace genzo
