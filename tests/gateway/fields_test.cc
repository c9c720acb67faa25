// What bodies of the doors mean, read without a door.

#include "absl/strings/escaping.h"
#include "base/sampler_spelling.h"
#include "gateway/a1111.h"
#include "gateway/a1111_variation.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "gateway/openai_images.h"
#include "gateway/sampler_labels.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

const ModelNames& Names() {
  static const auto& names = *new ModelNames(
      std::map<std::string, std::string>{{"dall-e-3", "emaki"}});
  return names;
}

absl::StatusOr<A1111Call> TextToImage(const json& body) {
  return ReadA1111(A1111Task::kTextToImage, body, Names());
}
absl::StatusOr<A1111Call> ImageToImage(json body) {
  if (!body.contains("init_images")) body["init_images"] = {"aGk="};
  return ReadA1111(A1111Task::kImageToImage, body, Names());
}

// The form of an edit: fields and an image.
absl::StatusOr<OpenAiCall> Form(
    FormKind kind,
    const std::vector<std::pair<std::string, std::string>>& fields) {
  std::string body;
  for (const auto& [name, value] : fields) {
    body += "--b\r\nContent-Disposition: form-data; name=\"" + name +
            "\"\r\n\r\n" + value + "\r\n";
  }
  return ReadForm(kind, body + "--b--\r\n", "multipart/form-data; boundary=b",
                  Names());
}

TEST(FieldReaderEdgesTest, BoundsBelongToTheRange) {
  const json body = {{"low", 1}, {"high", 10}, {"zero", 0.0}};
  FieldReader reader(body);
  EXPECT_EQ(reader.Whole("low", 1, 10), 1);
  EXPECT_EQ(reader.Whole("high", 1, 10), 10);
  EXPECT_EQ(reader.Number("zero", 0, 1), 0);
  EXPECT_THAT(reader.status(), IsOk());
}

TEST(FieldReaderEdgesTest, AFractionIsNoWholeNumber) {
  const json body = {{"n", 2.5}};
  FieldReader reader(body);
  EXPECT_FALSE(reader.Whole("n", 1, 10).has_value());
  EXPECT_THAT(reader.status(),
              StatusIs(kInvalid, "n 2.5 is not a whole number from 1 to 10"));
}

TEST(FieldReaderEdgesTest, NotANumberIsNoNumberInForms) {
  const json body = {{"a", "nan"}, {"b", "inf"}, {"c", ""}};
  FieldReader reader(body, FieldReader::Values::kMayBeText);
  for (const char* name : {"a", "b", "c"}) {
    EXPECT_FALSE(reader.Number(name, -1e300, 1e300).has_value()) << name;
  }
}

TEST(FieldReaderEdgesTest, AFieldThatWasAskedForIsNotLeftOver) {
  const json body = {{"known", 1}, {"other", 1}};
  FieldReader reader(body);
  reader.Any("known");
  reader.RefuseTheRest();
  const auto violations = ViolationsIn(reader.status());
  ASSERT_EQ(violations.size(), 1u);
  EXPECT_EQ(violations[0].field, "other");
}

TEST(ShownValueTest, HidesWhatIsLarge) {
  EXPECT_EQ(ShownValue({{"a", 1}}), "{...}");
  EXPECT_EQ(ShownValue(json::array({1})), "[...]");
  EXPECT_EQ(ShownValue(std::string(500, 'x')).size(), 103u);
}

TEST(ShownValueTest, ShowsNoBytesThatATerminalWouldRead) {
  EXPECT_EQ(ShownValue("\x1b[2J\u202e"), "\"\\u001b[2J\\u202e\"");
}

TEST(JsonBodyEdgesTest, TheDeepestLevelThatIsAllowedIsAllowed) {
  const auto nested = [](int levels) {
    return "{\"a\":" + std::string(levels - 1, '[') +
           std::string(levels - 1, ']') + "}";
  };
  EXPECT_THAT(ParseJsonObject(nested(kMaxBodyDepth)), IsOk());
  EXPECT_THAT(ParseJsonObject(nested(kMaxBodyDepth + 1)),
              StatusIs(kInvalid, "deeper than 32"));
}

TEST(DecodePictureEdgesTest, NothingIsAPictureOfNoBytes) {
  EXPECT_EQ(DecodePicture(""), "");
  EXPECT_EQ(DecodePicture("data:;base64,"), "");
  EXPECT_FALSE(DecodePicture("data:").has_value());
}

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
               "override_settings CLIP_stop_at_last_layers 0 is not"));
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

TEST(LorasFieldTest, EntriesAreTextsOrObjects) {
  const json body = {{"loras", {"ink:0.5", {{"name", "b"}, {"weight", 0.25}}}}};
  FieldReader reader(body);
  v1::GenerateRequest request;
  ReadLoras(reader, request);
  ASSERT_THAT(reader.status(), IsOk());
  EXPECT_EQ(request.loras(0).weight(), 0.5);
  EXPECT_EQ(request.loras(1).name(), "b");
}

TEST(LorasFieldTest, AnEntryThatIsNeitherIsNumbered) {
  const json body = {{"loras", {"a", {{"wait", 1}}, 7}}};
  FieldReader reader(body);
  v1::GenerateRequest request;
  ReadLoras(reader, request);
  const auto violations = ViolationsIn(reader.status());
  ASSERT_EQ(violations.size(), 2u);
  EXPECT_THAT(violations[0].description, ::testing::HasSubstr("[1] {...}"));
  EXPECT_THAT(violations[1].description, ::testing::HasSubstr("[2] 7"));
}

TEST(OpenAiFieldsTest, APromptIsNeeded) {
  EXPECT_THAT(ReadGeneration(json::object(), Names()),
              StatusIs(kInvalid, "prompt is missing"));
  EXPECT_THAT(ReadGeneration({{"prompt", ""}}, Names()), IsOk());
}

TEST(OpenAiFieldsTest, ASizeIsTwoNumbers) {
  const auto size = [](const std::string& text) {
    return ReadGeneration({{"prompt", "x"}, {"size", text}}, Names());
  };
  EXPECT_EQ(size("64x48")->request.height(), 48u);
  EXPECT_FALSE(size("auto")->request.has_width());
  for (const char* bad : {"", "64", "64x", "64x48x3", "0x64", "64x-1",
                          "65537x64", "64X48", "wide"}) {
    EXPECT_THAT(size(bad),
                StatusIs(kInvalid, std::string("size \"") + bad +
                                       "\" is neither auto nor WIDTHxHEIGHT"))
        << bad;
  }
}

TEST(OpenAiFieldsTest, LinksAreNotForStreams) {
  EXPECT_THAT(
      ReadGeneration(
          {{"prompt", "x"}, {"stream", true}, {"response_format", "url"}},
          Names()),
      StatusIs(kInvalid, "response_format \"url\" is not for streams"));
}

TEST(OpenAiFieldsTest, PartialImagesAreForStreams) {
  EXPECT_THAT(
      ReadGeneration({{"prompt", "x"}, {"partial_images", 2}}, Names()),
      StatusIs(kInvalid, "partial_images 2 is not 0, but stream is not"));
  EXPECT_EQ(
      ReadGeneration({{"prompt", "x"}, {"stream", true}, {"partial_images", 3}},
                     Names())
          ->partial_images,
      3);
  EXPECT_THAT(
      ReadGeneration({{"prompt", "x"}, {"stream", true}, {"partial_images", 4}},
                     Names()),
      StatusIs(kInvalid, "partial_images 4 is not a whole number from 0 to 3"));
}

TEST(OpenAiFieldsTest, NoCompressionIsTheLowestQuality) {
  EXPECT_EQ(
      ReadGeneration({{"prompt", "x"}, {"output_compression", 0}}, Names())
          ->request.output()
          .quality(),
      1u);
}

TEST(OpenAiFieldsTest, AFieldThatNobodyKnowsIsRefused) {
  EXPECT_THAT(ReadGeneration({{"prompt", "x"}, {"promt", "y"}}, Names()),
              StatusIs(kInvalid, "\"promt\" is not a field of this"));
}

// The same at every door, MCP's included.
TEST(OpenAiFieldsTest, FieldsOfSingleModelsAreRead) {
  const auto call =
      ReadGeneration({{"prompt", "x"},
                      {"prompt_2", "b"},
                      {"class_label", 0},
                      {"noise_level", 0},
                      {"image_guidance_scale", 1.25},
                      {"true_guidance_scale", 2},
                      {"max_sequence_length", 256},
                      {"size_conditioning", {{"prompt", {{"crop_top", 8}}}}},
                      {"refiner", R"({"switch_at": 0.5})"}},
                     Names());
  ASSERT_THAT(call, IsOk());
  const v1::GenerateRequest& request = call->request;
  EXPECT_EQ(request.prompt_2(), "b");
  EXPECT_TRUE(request.has_class_label());
  EXPECT_TRUE(request.has_noise_level());
  EXPECT_EQ(request.image_guidance_scale(), 1.25);
  EXPECT_EQ(request.true_guidance_scale(), 2);
  EXPECT_EQ(request.max_sequence_length(), 256u);
  EXPECT_EQ(request.size_conditioning().prompt().crop_top(), 8u);
  EXPECT_EQ(request.refiner().switch_at(), 0.5);
  EXPECT_THAT(ReadGeneration({{"prompt", "x"}, {"noise_level", -1}}, Names()),
              StatusIs(kInvalid, "noise_level"));
  EXPECT_THAT(
      ReadGeneration({{"prompt", "x"}, {"refiner", {{"at", 1}}}}, Names()),
      StatusIs(kInvalid, "refiner"));
  const auto plain = ReadGeneration({{"prompt", "x"}}, Names());
  EXPECT_FALSE(plain->request.has_noise_level() ||
               plain->request.has_refiner() ||
               plain->request.has_size_conditioning());
}

TEST(OpenAiFieldsTest, ATransparentBackgroundIsNotThereYet) {
  EXPECT_THAT(
      ReadGeneration({{"prompt", "x"}, {"background", "transparent"}}, Names()),
      StatusIs(kInvalid, "background \"transparent\" is given"));
}

TEST(OpenAiFormTest, AnEditNeedsAPicture) {
  EXPECT_THAT(Form(FormKind::kEdit, {{"prompt", "x"}}),
              StatusIs(kInvalid, "image is missing"));
  EXPECT_THAT(Form(FormKind::kEdit, {{"prompt", "x"}, {"image", ""}}),
              StatusIs(kInvalid, "image is missing"));
}

TEST(OpenAiFormTest, AVariationNeedsNoPrompt) {
  const auto call = Form(FormKind::kVariation, {{"image", "png"}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.image_to_image().strength(), 0.6);
  EXPECT_THAT(Form(FormKind::kEdit, {{"image", "png"}}),
              StatusIs(kInvalid, "prompt is missing"));
}

TEST(OpenAiFormTest, AVariationHasNoMask) {
  EXPECT_THAT(Form(FormKind::kVariation, {{"image", "png"}, {"mask", "png"}}),
              StatusIs(kInvalid, "mask is given, but a variation"));
}

TEST(OpenAiFormTest, WhatAMaskCoversIsPaintedWhole) {
  const auto call =
      Form(FormKind::kEdit, {{"prompt", "x"}, {"image", "a"}, {"mask", "b"}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.image_to_image().strength(), 1);
  EXPECT_TRUE(call->request.inpainting().mask_is_transparency());
  EXPECT_EQ(call->event_prefix, "image_edit");
}

// Found by fuzzing: such bytes cannot be written as JSON again.
TEST(OpenAiFormTest, AFieldIsUtf8) {
  for (const char* field : {"noise_level", "churn", "loras"}) {
    EXPECT_THAT(Form(FormKind::kEdit,
                     {{"prompt", "x"}, {"image", "a"}, {field, "a\x8a"}}),
                StatusIs(kInvalid, absl::StrCat(field, " is not UTF-8")));
  }
  EXPECT_THAT(Form(FormKind::kEdit, {{"prompt", "\x8a"}, {"image", "a"}}),
              StatusIs(kInvalid, "prompt is not UTF-8"));
}

TEST(OpenAiFormTest, AFieldOccursOnce) {
  EXPECT_THAT(
      Form(FormKind::kEdit, {{"prompt", "x"}, {"prompt", "y"}, {"image", "a"}}),
      StatusIs(kInvalid, "prompt occurs twice"));
  EXPECT_THAT(Form(FormKind::kEdit,
                   {{"prompt", "x"}, {"image[]", "a"}, {"image[]", "b"}}),
              StatusIs(kInvalid, "no edits of several pictures at once"));
}

TEST(SamplerLabelsTest, WhatOurFilesSayIsReadAtTheDoors) {
  const auto& samplers = *v1::Sampler_descriptor();
  for (int i = 1; i < samplers.value_count(); ++i) {
    const SamplerLabels labels =
        LabelsOf({static_cast<v1::Sampler>(samplers.value(i)->number())});
    EXPECT_TRUE(SamplerNamed(labels.sampler).has_value()) << labels.sampler;
    if (labels.schedule.empty()) continue;
    EXPECT_EQ(ScheduleNamed(labels.schedule), v1::NOISE_SCHEDULE_UNSPECIFIED)
        << labels.schedule;
  }
}

TEST(SamplerLabelsTest, KnowsA1111sWordsForSchedules) {
  for (const char* own : {"Automatic", "uniform", "normal"}) {
    EXPECT_EQ(ScheduleNamed(own), v1::NOISE_SCHEDULE_UNSPECIFIED) << own;
  }
  EXPECT_EQ(ScheduleNamed("DDIM"), v1::NOISE_SCHEDULE_DDIM_UNIFORM);
  EXPECT_EQ(ScheduleNamed("sgm_uniform"), v1::NOISE_SCHEDULE_SGM_UNIFORM);
  EXPECT_FALSE(ScheduleNamed("kl_optimal").has_value());
}

TEST(SamplerLabelsTest, AScheduleMayFollowAnAncestralSampler) {
  const auto choice = SamplerNamed("DPM2 a Karras");
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->sampler, v1::SAMPLER_DPM2_ANCESTRAL);
  EXPECT_EQ(choice->schedule, v1::NOISE_SCHEDULE_KARRAS);
}

}  // namespace
}  // namespace genzo
