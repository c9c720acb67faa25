// What fields are to the doors, whichever door it is.

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/sampler_spelling.h"
#include "gateway/door_error.h"
#include "gateway/json_body.h"
#include "gateway/loras.h"
#include "gateway/sampler_labels.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

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

TEST(FieldReaderEdgesTest, ANearMissIsToldWhatMayBeMeant) {
  const auto said = [](const std::string& name) {
    const json body = {{name, 1}};
    FieldReader reader(body);
    for (const char* known : {"prompt", "n", "safety", "guidance",
                              "num_inference_steps", "loras"}) {
      reader.Any(known);
    }
    reader.RefuseTheRest();
    return std::string(reader.status().message());
  };
  const auto meant = [](const std::string& name, const std::string& other) {
    return absl::StrCat("\"", name, "\" is not a field of this; did you mean ",
                        other, "?");
  };
  EXPECT_EQ(said("promt"), meant("promt", "prompt"));
  EXPECT_EQ(said("safety_policy"), meant("safety_policy", "safety"));
  EXPECT_EQ(said("steps"), meant("steps", "num_inference_steps"));
  EXPECT_EQ(said("text_gate_step"),
            meant("text_gate_step", "guidance.text_gate_step"));
  for (const std::string& far :
       {std::string("m"), std::string("colour"), std::string(1000, 'x')}) {
    EXPECT_THAT(said(far), ::testing::EndsWith("is not a field of this"));
  }
}

// Each takes time to guess at, and a body has room for many.
TEST(FieldReaderEdgesTest, GuessesAtAFewFieldsOnly) {
  json body = json::object();
  for (int i = 0; i < 20; ++i) body[absl::StrCat("prompt", i)] = 1;
  FieldReader reader(body);
  reader.Any("prompt");
  reader.RefuseTheRest();
  int hints = 0;
  for (const FieldViolation& fault : ViolationsIn(reader.status())) {
    if (absl::StrContains(fault.description, "did you mean")) ++hints;
  }
  EXPECT_EQ(hints, 8);
}

TEST(FieldReaderEdgesTest, WhatIsInsideIsNamedByItsPlace) {
  const json inner = {{"weight", "much"}, {"y", 1}};
  const json body = {{"settings", 5}, {"list", 5}};
  FieldReader reader(body);
  FieldReader fields(reader, inner, "controls[1]");
  fields.Number("weight", 0, 2);
  fields.RefuseTheRest();
  EXPECT_EQ(reader.Object("settings"), nullptr);
  EXPECT_EQ(reader.List("list"), nullptr);
  reader.Add(fields);
  EXPECT_THAT(reader.status(),
              StatusIs(kInvalid,
                       "settings 5 is not an object; list 5 is not a list; "
                       "controls[1].weight \"much\" is not a number from 0 to "
                       "2; \"controls[1].y\" is not a field of this"));
}

TEST(FieldReaderEdgesTest, WhatIsInsideAFormMayBeText) {
  const json entry = {{"weight", "0.5"}};
  const json body = json::object();
  FieldReader form(body, FieldReader::Values::kMayBeText);
  EXPECT_EQ(FieldReader(form, entry, "a[0]").Number("weight", 0, 1), 0.5);
  FieldReader typed(body);
  EXPECT_EQ(FieldReader(typed, entry, "a[0]").Number("weight", 0, 1),
            std::nullopt);
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
  EXPECT_EQ(violations[0].field, "loras[1].wait");
  EXPECT_EQ(violations[1].description,
            "loras[2] 7 is neither \"NAME:WEIGHT\" nor an object as LoraUse");
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
