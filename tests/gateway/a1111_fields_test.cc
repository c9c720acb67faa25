#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/a1111_settings.h"
#include "gateway/a1111_variation.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

TEST(A1111FieldsTest, WhatIsNotGivenIsLeftToTheServer) {
  const auto call = TextToImage(json::object());
  ASSERT_THAT(call, IsOk());
  EXPECT_FALSE(call->request.has_steps());
  EXPECT_FALSE(call->request.has_seed());
  EXPECT_FALSE(call->request.has_guidance_scale());
  EXPECT_EQ(call->request.image_count(), 1u);
  EXPECT_TRUE(call->sends_images);
}

TEST(A1111FieldsTest, ASeedOfMinusOneIsDrawn) {
  EXPECT_FALSE(TextToImage({{"seed", -1}})->request.has_seed());
  EXPECT_TRUE(TextToImage({{"seed", 0}})->request.has_seed());
  EXPECT_THAT(TextToImage({{"seed", -2}}),
              StatusIs(kInvalid, "seed -2 is not a whole number from -1"));
}

TEST(A1111FieldsTest, BatchesTimesRoundsAreImages) {
  const auto call = TextToImage({{"batch_size", 3}, {"n_iter", 2}});
  EXPECT_EQ(call->request.image_count(), 6u);
  EXPECT_EQ(call->batch_size, 3u);
  EXPECT_THAT(
      TextToImage({{"n_iter", 65}}),
      StatusIs(kInvalid, "n_iter 65 is not a whole number from 1 to 64"));
}

TEST(A1111FieldsTest, TheNumberOfImagesIsCalledByWhatMakesIt) {
  const auto said = [](const json& body) {
    const auto call = TextToImage(body);
    const auto faults = ViolationsIn(
        Renamed(InvalidFieldsError(
                    {{"image_count", "image_count 25 is not from 1 to 8"}}),
                Followed(call->names, A1111Names())));
    return absl::StrCat(faults[0].field, "|", faults[0].description);
  };
  EXPECT_EQ(said({{"batch_size", 5}, {"n_iter", 5}}),
            "batch_size|n_iter x batch_size 25 is not from 1 to 8");
  EXPECT_EQ(said({{"n_iter", 25}}), "n_iter|n_iter 25 is not from 1 to 8");
  EXPECT_EQ(said({{"batch_size", 25}}),
            "batch_size|batch_size 25 is not from 1 to 8");
}

TEST(A1111FieldsTest, BothPassesHaveOneModelAndOneScale) {
  const auto second = [](json body) {
    body.update({{"enable_hr", true},
                 {"override_settings", {{"sd_model_checkpoint", "emaki"}}}});
    return TextToImage(body).status();
  };
  EXPECT_THAT(second({{"hr_checkpoint_name", "x"}}),
              StatusIs(kInvalid, "hr_checkpoint_name \"x\" is given, but"));
  EXPECT_THAT(second({{"hr_cfg", 3}, {"cfg_scale", 7}}),
              StatusIs(kInvalid, "hr_cfg 3 is not cfg_scale"));
  EXPECT_THAT(second({{"hr_cfg", 3}}), StatusIs(kInvalid, "hr_cfg 3"));
  for (const json& same :
       {json::object({{"hr_checkpoint_name", ""}}),
        json::object({{"hr_checkpoint_name", "Use same checkpoint"}}),
        json::object({{"hr_checkpoint_name", "emaki"}}),
        json::object({{"hr_cfg", 7}, {"cfg_scale", 7.0}}),
        json::object({{"hr_cfg", nullptr}})}) {
    EXPECT_THAT(second(same), IsOk()) << same;
  }
}

TEST(A1111FieldsTest, EtaIsDdimsAlone) {
  EXPECT_FALSE(TextToImage({{"eta", 0.5}, {"sampler_name", "Euler a"}})
                   ->request.has_eta());
  EXPECT_EQ(
      TextToImage({{"eta", 0.5}, {"sampler_name", "DDIM"}})->request.eta(),
      0.5);
}

TEST(A1111FieldsTest, TheNewerNameOfASamplerCounts) {
  const auto call =
      TextToImage({{"sampler_index", "DDIM"}, {"sampler_name", "Euler a"}});
  EXPECT_EQ(call->request.sampler(), v1::SAMPLER_EULER_ANCESTRAL);
}

TEST(A1111FieldsTest, AnAutomaticScheduleLeavesTheSamplersOwn) {
  const auto call = TextToImage(
      {{"sampler_name", "DPM++ 2M Karras"}, {"scheduler", "Automatic"}});
  EXPECT_EQ(call->request.schedule(), v1::NOISE_SCHEDULE_KARRAS);
}

TEST(A1111FieldsTest, AnUnknownSamplerIsShownWithWhereToLook) {
  EXPECT_THAT(TextToImage({{"sampler_name", "Magic"}}),
              StatusIs(kInvalid,
                       "sampler_name \"Magic\" is not the name of a "
                       "sampler; GET /sdapi/v1/samplers"));
  EXPECT_THAT(TextToImage({{"scheduler", "Magic"}}),
              StatusIs(kInvalid, "scheduler \"Magic\" is not the name"));
}

TEST(A1111FieldsTest, ClipSkipIsCountedFromOne) {
  const auto skip = [](int layers) {
    return TextToImage(
               {{"override_settings", {{"CLIP_stop_at_last_layers", layers}}}})
        ->request.clip_skip();
  };
  EXPECT_EQ(skip(1), 0u);
  EXPECT_EQ(skip(2), 1u);
}

TEST(A1111FieldsTest, AFaultOfASettingNamesTheSettings) {
  EXPECT_THAT(
      TextToImage({{"override_settings", {{"CLIP_stop_at_last_layers", 0}}}}),
      StatusIs(kInvalid,
               "override_settings.CLIP_stop_at_last_layers 0 is not"));
}

TEST(A1111FieldsTest, WhatIsNoObjectIsRefused) {
  for (const char* field : {"override_settings", "alwayson_scripts"}) {
    EXPECT_THAT(TextToImage({{field, 5}}),
                StatusIs(kInvalid, std::string(field) + " 5 is not an object"));
    EXPECT_THAT(TextToImage({{field, json::array({1})}}),
                StatusIs(kInvalid, "[...] is not an object"));
    EXPECT_THAT(TextToImage({{field, nullptr}}), IsOk());
    EXPECT_THAT(TextToImage({{field, json::array()}}), IsOk())
        << "as PHP writes an empty object";
  }
  EXPECT_THAT(
      TextToImage({{"alwayson_scripts", {{"controlnet", "x"}}}}),
      StatusIs(kInvalid, "alwayson_scripts.controlnet \"x\" is not an object"));
  EXPECT_THAT(
      TextToImage({{"alwayson_scripts", {{"controlnet", json::array()}}}}),
      IsOk());
}

TEST(A1111FieldsTest, SettingsStandBehindTheOverridesOfARequest) {
  const auto overrides = [](const json& own) {
    const json body =
        WithSettings({{"override_settings", own}}, {{"samples_format", "jpg"}});
    return body["override_settings"];
  };
  EXPECT_EQ(overrides({{"samples_format", "png"}})["samples_format"], "png");
  EXPECT_EQ(overrides(json::array())["samples_format"], "jpg");
  EXPECT_EQ(overrides(nullptr)["samples_format"], "jpg");
  EXPECT_EQ(overrides(5), 5) << "what is refused is not covered up";
}

// Each takes many times its bytes, before the service counts them.
TEST(A1111FieldsTest, ListsHaveAnEnd) {
  const json many(65, json::object());
  for (const auto& [body, what] : std::vector<std::pair<json, std::string>>{
           {{{"controls", many}}, "controls"},
           {{{"image_prompts", many}}, "image_prompts"},
           {{{"image_prompts",
              json::array({{{"name", "a"}, {"images", many}}})}},
            "image_prompts[0].images"},
           {{{"loras", many}}, "loras"},
           {{{"controlnet_units", many}}, "controlnet_units"},
           {{{"alwayson_scripts", {{"controlnet", {{"args", many}}}}}},
            "alwayson_scripts.controlnet.args"}}) {
    const auto faults = ViolationsIn(TextToImage(body).status());
    ASSERT_FALSE(faults.empty()) << what;
    EXPECT_LE(faults.size(), 2u) << "no entry is looked at";
    EXPECT_EQ(faults[0].description,
              what + " has 65 entries, which are more than 64");
  }
  EXPECT_THAT(TextToImage({{"alwayson_scripts",
                            {{"ControlNet", {{"args", json::array()}}},
                             {"controlnet", {{"args", json::array()}}}}}}),
              StatusIs(kInvalid, "is the same script in other letters"));
}

TEST(A1111FieldsTest, ACheckpointMayBeAnAlias) {
  EXPECT_EQ(TextToImage(
                {{"override_settings", {{"sd_model_checkpoint", "dall-e-3"}}}})
                ->request.model(),
            "emaki");
}

TEST(A1111FieldsTest, WhatIsSwitchedOffIsNotAskedFor) {
  EXPECT_THAT(TextToImage({{"restore_faces", false},
                           {"tiling", nullptr},
                           {"styles", json::array()},
                           {"script_name", ""}}),
              IsOk());
  EXPECT_THAT(
      TextToImage({{"tiling", true}}),
      StatusIs(kInvalid, "tiling is given, but this server has no tiling"));
}

TEST(A1111FieldsTest, ScriptsThatAreSwitchedOffDoNoHarm) {
  for (const json& arguments :
       {json::array(), json::array({false}), json::array({nullptr}),
        json(nullptr), json::array({0, 1})}) {
    EXPECT_THAT(
        TextToImage({{"alwayson_scripts", {{"x", {{"args", arguments}}}}}}),
        IsOk())
        << arguments;
  }
  EXPECT_THAT(TextToImage({{"alwayson_scripts",
                            {{"x", {{"args", json::array({true})}}}}}}),
              StatusIs(kInvalid, "has no script \"x\" yet"));
}

TEST(A1111FieldsTest, AMaskNeedsAPictureToBeOf) {
  EXPECT_THAT(TextToImage({{"mask", "aGk="}}),
              StatusIs(kInvalid, "mask is given, but txt2img has no picture"));
}

TEST(A1111FieldsTest, SeedsHave64Bits) {
  const auto call = TextToImage({{"seed", 18446744073709551615u},
                                 {"subseed", 9223372036854775808u},
                                 {"subseed_strength", 0.5}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.seed(), 18446744073709551615u);
  EXPECT_EQ(call->request.variation().seed(), 9223372036854775808u);
  EXPECT_THAT(TextToImage({{"seed", -2}}),
              StatusIs(kInvalid, "seed -2 is not a whole number from -1"));
}

TEST(A1111FieldsTest, OnePictureIsStartedFrom) {
  EXPECT_THAT(ImageToImage({{"init_images", json::array()}}),
              StatusIs(kInvalid, "init_images is not a list of a picture"));
  EXPECT_THAT(ImageToImage({{"init_images", {"aGk=", "aGk="}}}),
              StatusIs(kInvalid, "no starting from several pictures"));
  EXPECT_THAT(ImageToImage({{"init_images", {"?"}}}),
              StatusIs(kInvalid, "a picture that is not base64"));
}

TEST(A1111FieldsTest, TheStrengthIsA1111sOwnUnlessSaid) {
  EXPECT_EQ(ImageToImage({})->request.image_to_image().strength(), 0.75);
  EXPECT_EQ(ImageToImage({{"denoising_strength", 0}})
                ->request.image_to_image()
                .strength(),
            0);
}

TEST(A1111FieldsTest, FieldsOfSingleModelsAreRead) {
  const auto call = ImageToImage({{"noise_level", 30},
                                  {"image_cfg_scale", 2},
                                  {"refiner", {{"aesthetic_score", 7}}}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.noise_level(), 30u);
  EXPECT_EQ(call->request.image_guidance_scale(), 2);
  EXPECT_EQ(call->request.refiner().aesthetic_score(), 7);
  EXPECT_FALSE(ImageToImage({{"image_cfg_scale", 1.5}})
                   ->request.has_image_guidance_scale())
      << "which clients send to every model";
}

TEST(A1111FieldsTest, AnAnswersParametersHaveNoPictures) {
  const auto call = ImageToImage({{"mask", "aGk="}, {"prompt", "a fox"}});
  ASSERT_THAT(call, IsOk());
  EXPECT_TRUE(call->parameters["init_images"].is_null());
  EXPECT_TRUE(call->parameters["mask"].is_null());
  EXPECT_EQ(call->parameters["prompt"], "a fox");
}

TEST(A1111FieldsTest, APictureBecomesTheSizeAsA1111Numbers) {
  const auto mode = [](const json& fields) {
    return ImageToImage(fields)->request.image_to_image().resize_mode();
  };
  EXPECT_EQ(mode(json::object()), v1::RESIZE_MODE_STRETCH) << "its default";
  EXPECT_EQ(mode({{"resize_mode", 1}}), v1::RESIZE_MODE_CROP);
  EXPECT_EQ(mode({{"resize_mode", 2}}), v1::RESIZE_MODE_FILL);
  EXPECT_THAT(ImageToImage({{"resize_mode", 3}}),
              StatusIs(kInvalid, "resize_mode is given, but"));
}

TEST(A1111FieldsTest, AMasksDefaultsAreA1111s) {
  const auto call = ImageToImage({{"mask", "aGk="}});
  const v1::Inpainting& part = call->request.inpainting();
  EXPECT_EQ(part.mask().data(), "hi");
  EXPECT_EQ(part.mask_blur(), 4u);
  EXPECT_EQ(part.fill(), v1::Inpainting::FILL_BLUR);
  EXPECT_TRUE(part.only_masked());
  EXPECT_EQ(part.padding(), 0u);
  EXPECT_FALSE(part.invert_mask());
}

TEST(A1111FieldsTest, FlagsOfMasksMayBeNumbers) {
  const auto call = ImageToImage({{"mask", "aGk="},
                                  {"inpaint_full_res", 0},
                                  {"inpainting_mask_invert", 1}});
  EXPECT_FALSE(call->request.inpainting().only_masked());
  EXPECT_TRUE(call->request.inpainting().invert_mask());
  EXPECT_THAT(ImageToImage({{"mask", "aGk="}, {"inpaint_full_res", 2}}),
              StatusIs(kInvalid, "inpaint_full_res 2 is not a whole number"));
}

TEST(A1111FieldsTest, AnOlderNameOfTheBlurCountsBeforeTheNewerOnes) {
  const auto call =
      ImageToImage({{"mask", "aGk="}, {"mask_blur", 9}, {"mask_blur_x", 3}});
  EXPECT_EQ(call->request.inpainting().mask_blur(), 9u);
}

TEST(A1111FieldsTest, ABlurThatDiffersAcrossAndDownIsRefused) {
  EXPECT_THAT(
      ImageToImage({{"mask", "aGk="}, {"mask_blur_x", 3}, {"mask_blur_y", 9}}),
      StatusIs(kInvalid, "mask_blur_x 3 is not mask_blur_y, 9"));
  const auto even =
      ImageToImage({{"mask", "aGk="}, {"mask_blur_x", 3}, {"mask_blur_y", 3}});
  EXPECT_EQ(even->request.inpainting().mask_blur(), 3u);
  const auto older = ImageToImage({{"mask", "aGk="},
                                   {"mask_blur", 5},
                                   {"mask_blur_x", 3},
                                   {"mask_blur_y", 9}});
  EXPECT_EQ(older->request.inpainting().mask_blur(), 5u) << "it sets both";
  const auto down = ImageToImage({{"mask", "aGk="}, {"mask_blur_y", 7}});
  EXPECT_EQ(down->request.inpainting().mask_blur(), 7u);
}

TEST(A1111FieldsTest, HypernetworksAreNotThereYet) {
  EXPECT_THAT(TextToImage({{"prompt", "a fox <hypernet:ink:1>"}}),
              StatusIs(kInvalid,
                       "prompt has <hypernet:...>, but this server has no "
                       "hypernetworks yet"));
}

TEST(A1111FieldsTest, TagsInTheNegativePromptAreRefused) {
  EXPECT_THAT(TextToImage({{"negative_prompt", "<lora:a:1>"}}),
              StatusIs(kInvalid, "negative_prompt has <lora:...>"));
}

TEST(A1111VariationTest, SizesAreCutToPlacesOfLatents) {
  const auto call =
      TextToImage({{"seed_resize_from_w", 519}, {"seed_resize_from_h", 256}});
  EXPECT_EQ(call->request.variation().resize_from_width(), 512u);
  EXPECT_EQ(call->request.variation().resize_from_height(), 256u);
}

TEST(A1111VariationTest, ASizeThatIsNoneIsNotAskedFor) {
  for (const int side : {0, -1, 7}) {
    EXPECT_FALSE(
        TextToImage({{"seed_resize_from_w", side}, {"seed_resize_from_h", 64}})
            ->request.has_variation())
        << side;
  }
}

TEST(A1111VariationTest, WithoutStrengthTheOtherSeedDoesNotCount) {
  EXPECT_FALSE(TextToImage({{"subseed", 5}})->request.has_variation());
  const auto call = TextToImage({{"subseed", 5}, {"subseed_strength", 0.5}});
  EXPECT_EQ(call->request.variation().seed(), 5u);
  EXPECT_EQ(SubseedOf(call->request, /*seed=*/1, /*index=*/2), 7u);
  EXPECT_EQ(SubseedOf({}, /*seed=*/1, /*index=*/2), 1u);
}

TEST(LoraTagsTest, TagsAreTakenOutOfThePrompt) {
  v1::GenerateRequest request;
  std::string prompt = "a <lora:ink:0.8>fox<lora:b>";
  EXPECT_EQ(TakeLoraTags(prompt, request), "");
  EXPECT_EQ(prompt, "a fox");
  ASSERT_EQ(request.loras_size(), 2);
  EXPECT_EQ(request.loras(0).weight(), 0.8);
  EXPECT_EQ(request.loras(0).text_encoder_weight(), 0.8);
  EXPECT_EQ(request.loras(1).weight(), 1);
}

TEST(LoraTagsTest, BothWeightsMayBeNamed) {
  v1::GenerateRequest request;
  std::string prompt = "<lora:a:unet=0.5:te=0><lora:b:0.2:0.9>";
  EXPECT_EQ(TakeLoraTags(prompt, request), "");
  EXPECT_EQ(request.loras(0).weight(), 0.5);
  EXPECT_EQ(request.loras(0).text_encoder_weight(), 0);
  EXPECT_EQ(request.loras(1).text_encoder_weight(), 0.2);
  EXPECT_EQ(request.loras(1).weight(), 0.9);
}

TEST(LoraTagsTest, APromptHasSixtyFourOfThem) {
  std::string prompt, kept;
  for (int i = 0; i < 64; ++i) {
    prompt += "x<lora:a>";
    kept += "x";
  }
  std::string one_more = prompt + "<lora:a>";
  v1::GenerateRequest request;
  EXPECT_EQ(TakeLoraTags(prompt, request), "");
  EXPECT_EQ(prompt, kept);
  EXPECT_EQ(request.loras_size(), 64);
  EXPECT_EQ(TakeLoraTags(one_more, request), "has more than 64 <lora:...>");
}

TEST(LoraTagsTest, ATagThatIsNoneIsShown) {
  for (const char* tag : {"<lora:a:much>", "<lora:a:1:1:1>", "<lora:a:>"}) {
    v1::GenerateRequest request;
    std::string prompt = tag;
    EXPECT_EQ(TakeLoraTags(prompt, request),
              std::string("has ") + tag +
                  ", which is not <lora:NAME:WEIGHT> with numbers");
  }
  v1::GenerateRequest request;
  std::string open = "a <lora:ink fox";
  EXPECT_EQ(TakeLoraTags(open, request), "has <lora: without >");
}

}  // namespace
}  // namespace genzo
