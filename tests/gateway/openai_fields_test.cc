#include "absl/strings/escaping.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

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

// As OpenAI has it; code of that time reads `url` and nothing else.
TEST(OpenAiFieldsTest, ModelsBeforeGptImageAnswerWithLinks) {
  const auto links = [](json body) {
    body["prompt"] = "x";
    const auto call = ReadGeneration(body, Names());
    EXPECT_THAT(call, IsOk()) << body;
    return call.ok() && call->answer.wants_url;
  };
  EXPECT_TRUE(links({{"model", "dall-e-2"}}));
  EXPECT_TRUE(links({{"model", "dall-e-3"}}));
  EXPECT_TRUE(links({{"model", "dall-e-3"}, {"response_format", nullptr}}));
  EXPECT_FALSE(links({{"model", "dall-e-3"}, {"response_format", "b64_json"}}));
  EXPECT_FALSE(links({{"model", "dall-e-3"}, {"stream", true}}));
  // Not by what an alias means.
  EXPECT_FALSE(links({{"model", "emaki"}}));
  EXPECT_FALSE(links({{"model", "gpt-image-1"}}));
  EXPECT_FALSE(links(json::object()));
  EXPECT_TRUE(
      Form(FormKind::kVariation, {{"image", "png"}, {"model", "dall-e-2"}})
          ->answer.wants_url);
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

// With the door's name for it.
TEST(OpenAiFieldsTest, AFieldOfTheProtoIsToldWhatItIsCalledHere) {
  for (const auto& [proto, own] :
       {std::pair("safety_policy", "safety"), std::pair("image_count", "n"),
        std::pair("steps", "num_inference_steps"), std::pair("width", "size"),
        std::pair("text_gate_step", "guidance.text_gate_step"),
        std::pair("promt", "prompt")}) {
    EXPECT_THAT(ReadGeneration({{"prompt", "x"}, {proto, 1}}, Names()),
                StatusIs(kInvalid, absl::StrCat("\"", proto,
                                                "\" is not a field of "
                                                "this; did you mean ",
                                                own, "?")));
  }
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

// Few expect that of a black and white mask nothing is transparent.
TEST(OpenAiFormTest, AMaskWithoutAHoleIsToldWhatIsPainted) {
  const auto told =
      [](const std::vector<std::pair<std::string, std::string>>& more) {
        std::vector<std::pair<std::string, std::string>> fields = {
            {"prompt", "x"}, {"image", "a"}, {"mask", "b"}};
        fields.insert(fields.end(), more.begin(), more.end());
        const auto call = Form(FormKind::kEdit, fields);
        const absl::Status status = AsOpenAiTells(
            InvalidFieldsError({{"inpainting.mask",
                                 "inpainting.mask: leaves nothing to paint"}}),
            PaintsHoles(call->request));
        EXPECT_EQ(OpenAiError(status)["param"], "mask");
        return std::string(status.message());
      };
  EXPECT_EQ(told({}),
            "mask: leaves nothing to paint: what is transparent in it is "
            "painted; with mask_is_transparency=false it is what is white");
  EXPECT_EQ(told({{"mask_is_transparency", "false"}}),
            "mask: leaves nothing to paint");
  EXPECT_EQ(told({{"invert_mask", "true"}}), "mask: leaves nothing to paint");
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
  EXPECT_THAT(Form(FormKind::kEdit, {{"prompt", "x"},
                                     {"image", "a"},
                                     {"mask", "\x89PNG"},
                                     {"mask", "\x89PNG"}}),
              StatusIs(kInvalid, "mask occurs twice"));
  EXPECT_THAT(Form(FormKind::kEdit,
                   {{"prompt", "x"}, {"image[]", "a"}, {"image[]", "b"}}),
              StatusIs(kInvalid, "no edits of several pictures at once"));
}

// As PyPI's openai sends extra_body={"loras": [{...}, {...}], ...}: piece by
// piece, all of one name first.
TEST(OpenAiFormTest, ReadsWhatIsNestedInPieces) {
  const auto call = Form(FormKind::kEdit, {{"prompt", "x"},
                                           {"image", "a"},
                                           {"loras[][name]", "ink"},
                                           {"loras[][name]", "fog"},
                                           {"loras[][weight]", "0.5"},
                                           {"loras[][weight]", "2"},
                                           {"controls[][name]", "canny"},
                                           {"controls[][weight]", "0.25"},
                                           {"controls[][guess_mode]", "true"},
                                           {"controls[][canny_low]", "7"},
                                           {"guidance[start]", "0.5"},
                                           {"hires[factor]", "2"},
                                           {"sigmas[]", "3.5"},
                                           {"sigmas[]", "0"},
                                           {"extend[]", "8"},
                                           {"extend[]", "0"},
                                           {"extend[]", "16"},
                                           {"extend[]", "0"}});
  ASSERT_THAT(call, IsOk());
  const v1::GenerateRequest& request = call->request;
  ASSERT_EQ(request.loras_size(), 2);
  EXPECT_EQ(request.loras(0).name(), "ink");
  EXPECT_EQ(request.loras(0).weight(), 0.5);
  EXPECT_EQ(request.loras(1).weight(), 2);
  ASSERT_EQ(request.controls_size(), 1);
  EXPECT_EQ(request.controls(0).weight(), 0.25);
  EXPECT_TRUE(request.controls(0).guess_mode());
  EXPECT_EQ(request.controls(0).canny_low(), 7u);
  EXPECT_EQ(request.guidance().start(), 0.5);
  EXPECT_EQ(request.hires().factor(), 2);
  EXPECT_THAT(request.sigmas(), ElementsAre(3.5, 0));
  EXPECT_EQ(request.outpainting().right(), 16u);
}

TEST(OpenAiFormTest, APieceThatIsWrongIsNamedByItsPlace) {
  EXPECT_THAT(Form(FormKind::kEdit, {{"prompt", "x"},
                                     {"image", "a"},
                                     {"controls[0][name]", "canny"},
                                     {"controls[0][weight]", "much"}}),
              StatusIs(kInvalid, "controls[0].weight \"much\" is not"));
  EXPECT_THAT(
      Form(FormKind::kEdit,
           {{"prompt", "x"}, {"image", "a"}, {"guidance[begin]", "0.5"}}),
      StatusIs(kInvalid, "guidance.begin"));
}

TEST(OpenAiFormTest, AdaptersMayBeATextOfJson) {
  const auto call =
      Form(FormKind::kEdit, {{"prompt", "x"},
                             {"image", "a"},
                             {"loras", R"([{"name": "ink"}, "fog:2"])"}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(call->request.loras(0).name(), "ink");
  EXPECT_EQ(call->request.loras(1).weight(), 2);
}

}  // namespace
}  // namespace genzo
