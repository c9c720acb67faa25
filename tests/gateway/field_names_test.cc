#include "gateway/field_names.h"

#include <algorithm>
#include <functional>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "gateway/door_error.h"
#include "gateway/mcp_arguments.h"
#include "google/protobuf/descriptor.h"
#include "tests/gateway/body_readers.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using nlohmann::json;

// Fields that a door leaves to the service or decides by itself.
const std::set<std::string> kNobodys = {"on_disconnect",
                                        "image_to_image.image_sha256",
                                        "image_to_image.image_bytes"};
// Fields of which OpenAI's door alone has any.
const std::set<std::string> kOpenAisAlone = {
    "request_id",      "preview.steps[0]", "preview.every",
    "preview.decoder", "preview.format",   "preview.longest_side",
    "preview.quality"};

// Every field without further ones, of `message` and of what is in it.
void Walk(const Descriptor& message, const std::string& place,
          const std::function<void(const std::string&)>& visit) {
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string path =
        absl::StrCat(place, field.name(), field.is_repeated() ? "[0]" : "");
    const Descriptor* inner = field.message_type();
    if (inner == nullptr || inner->file()->package() != "genzo.v1") {
      visit(path);
    } else {
      Walk(*inner, path + ".", visit);
    }
  }
}

void ExpectAWordForEach(const FieldNames& names,
                        const std::set<std::string>& not_the_doors) {
  std::set<std::string> unnamed;
  Walk(*v1::GenerateRequest::descriptor(), "", [&](const std::string& path) {
    if (!OwnName(names, path).has_value()) unnamed.insert(path);
  });
  std::set<std::string> expected = kNobodys;
  expected.insert(not_the_doors.begin(), not_the_doors.end());
  EXPECT_EQ(unnamed, expected);
}

TEST(FieldNamesTest, EveryDoorHasAWordForEveryFieldThatItSets) {
  ExpectAWordForEach(OpenAiNames(), {});
  ExpectAWordForEach(McpNames(), kOpenAisAlone);
  ExpectAWordForEach(A1111Names(), kOpenAisAlone);
}

// Whether it is no field.
bool IsValue(const FieldName& name) {
  return absl::ascii_isupper(name.proto[0]);
}

// The outermost field of a name.
std::string RootOf(const std::string& own) {
  return own.substr(0, own.find_first_of(".["));
}

std::set<std::string> RootsOf(const FieldNames& names) {
  std::set<std::string> roots;
  for (const FieldName& name : names) {
    if (!IsValue(name)) roots.insert(RootOf(name.own));
  }
  return roots;
}

bool Refuses(const absl::Status& status, const std::string& unknown) {
  return absl::StrContains(status.message(),
                           absl::StrCat("\"", unknown, "\" is not a field"));
}

TEST(FieldNamesTest, WhatOpenAisDoorAndTheToolsCallFieldsTheyRead) {
  for (const std::string& root : RootsOf(OpenAiNames())) {
    if (root == "idempotency-key" || root == "image" || root == "mask")
      continue;
    EXPECT_FALSE(Refuses(
        Form(FormKind::kEdit, {{"image", "x"}, {root, "?"}}).status(), root))
        << root;
  }
  for (const std::string& root : RootsOf(McpNames())) {
    if (root == "images") continue;  // of score_images
    EXPECT_FALSE(Refuses(
        ReadMcpPaint({{root, "?"}}, /*is_edit=*/true, Names()).status(), root))
        << root;
  }
}

TEST(FieldNamesTest, ToolsTellOfEveryArgumentThatTheyRead) {
  std::set<std::string> read = RootsOf(McpNames());
  read.erase("images");  // of score_images
  const json schemas = McpEditArguments();
  std::set<std::string> told;
  for (const auto& [name, schema] : schemas.items()) told.insert(name);
  EXPECT_EQ(told, read);
}

// What no field can be, at the place that the name says, of lists in the first
// entry.
json WrongAt(absl::string_view own) {
  const size_t end = std::min(own.find_first_of(".["), own.size());
  const std::string key(own.substr(0, end));
  if (end == own.size()) return {{key, {{"?", json::array()}}}};
  absl::string_view inside = own.substr(end);
  const bool is_list = absl::ConsumePrefix(&inside, "[]");
  if (!absl::ConsumePrefix(&inside, ".")) return {{key, json::array({7})}};
  const json wrong = WrongAt(inside);
  return {{key, is_list ? json::array({wrong}) : wrong}};
}

// Whether `place` is the field that is called `own`, or inside it.
bool IsIn(absl::string_view place, const std::string& own) {
  return absl::ConsumePrefix(&place,
                             absl::StrReplaceAll(own, {{"[]", "[0]"}})) &&
         (place.empty() || place.front() == '.' || place.front() == '[');
}

TEST(FieldNamesTest, WhatA1111sDoorCallsFieldsItReads) {
  for (const FieldName& name : A1111Names()) {
    if (IsValue(name)) continue;
    const std::string own = absl::StrReplaceAll(name.own, {{"...", ""}});
    bool is_named = false;
    for (const bool starts : {false, true}) {
      json body = {{"enable_hr", true}, {"best_of", 2}};
      if (starts) body["mask"] = "aGk=";
      body.update(WrongAt(own));
      const absl::Status status =
          starts ? ImageToImage(body).status() : TextToImage(body).status();
      for (const FieldViolation& fault : ViolationsIn(status)) {
        is_named = is_named || IsIn(fault.field, own);
      }
    }
    EXPECT_TRUE(is_named) << own;
  }
}

std::string Said(const FieldNames& names, const std::string& field,
                 const std::string& rest) {
  const auto faults =
      ViolationsIn(Renamed(InvalidFieldsError({{field, field + rest}}), names));
  return absl::StrCat(faults[0].field, "|", faults[0].description);
}

// Other fields, too, and the value.
TEST(FieldNamesTest, AWholeSentenceIsInTheWordsOfItsDoor) {
  const auto said = [](const FieldNames& names) {
    return Said(names, "controls[0].preprocessor",
                " PREPROCESSOR_INPAINT needs inpainting.mask or outpainting");
  };
  for (const FieldNames& names : {OpenAiNames(), McpNames()}) {
    EXPECT_EQ(said(names),
              "controls[0].preprocessor|"
              "controls[0].preprocessor inpaint needs mask or extend");
  }
  EXPECT_EQ(said(Followed({{"controls[]...", "args[]..."},
                           {"controls[].preprocessor", "args[].module"}},
                          A1111Names())),
            "args[0].module|args[0].module inpaint_only needs mask or extend");
  EXPECT_EQ(said(JobNames()),
            "request.controls[0].preprocessor|request.controls[0].preprocessor "
            "PREPROCESSOR_INPAINT needs request.inpainting.mask or "
            "request.outpainting");
  EXPECT_EQ(Said(OpenAiNames(), "inpainting.only_masked",
                 " does not go with outpainting"),
            "only_masked|only_masked does not go with extend");
}

TEST(FieldNamesTest, SteeringIsCalledAsTheClientWroteIt) {
  for (const FieldNames& names : {OpenAiNames(), McpNames()}) {
    EXPECT_EQ(Said(names, "controls[1].picture.data", ": none"),
              "controls[1].image|controls[1].image: none");
    EXPECT_EQ(Said(names, "image_prompts[1].pictures[2].data", ": none"),
              "image_prompts[1].images[2]|image_prompts[1].images[2]: none");
    EXPECT_EQ(Said(names, "loras[0].block_weights[3].weight", " 11"),
              "loras[0].block_weights[3].weight|"
              "loras[0].block_weights[3].weight 11");
    EXPECT_EQ(Said(names, "inpainting.mask.data", " is empty"),
              "mask|mask is empty");
    EXPECT_EQ(Said(names, "outpainting.left", " 7"), "extend|extend 7");
  }
}

TEST(FieldNamesTest, ASentenceNamesNoFieldOfTheProto) {
  EXPECT_EQ(
      Said(A1111Names(), "hires.width",
           " and hires.height go together, or hires.factor."),
      "hr_resize_x|hr_resize_x and hr_resize_y go together, or hr_scale.");
  EXPECT_EQ(Said(OpenAiNames(), "eta",
                 ": model \"image_to_image\" takes: image_to_image.strength"),
            "eta|eta: model \"image_to_image\" takes: strength")
      << "what is quoted is the client's";
  EXPECT_EQ(Said(OpenAiNames(), "steps", " 9 are more steps than 8"),
            "num_inference_steps|num_inference_steps 9 are more steps than 8");
}

TEST(FieldNamesTest, IndicesAreKept) {
  const FieldNames names = {{"a[].b[]...", "x[].y[]"}, {"a", "x"}};
  EXPECT_EQ(OwnName(names, "a[12].b[3].c"), "x[12].y[3]");
  EXPECT_EQ(OwnName(names, "a"), "x");
  EXPECT_EQ(OwnName(names, "a[1]"), std::nullopt);
  EXPECT_EQ(OwnName(names, "a[1].b"), std::nullopt);
  EXPECT_EQ(OwnName(names, "a[1].bc[2]"), std::nullopt);
  EXPECT_EQ(OwnName(names, "]a["), std::nullopt);
}

TEST(FieldNamesTest, ARequestsOwnNamesGoBeforeItsDoors) {
  const FieldNames both = Followed({{"a", "mine"}}, {{"a", "all"}, {"b", "x"}});
  EXPECT_EQ(OwnName(both, "a"), "mine");
  EXPECT_EQ(OwnName(both, "b"), "x");
}

TEST(FieldNamesTest, AFieldThatTheDoorDoesNotNameStays) {
  EXPECT_EQ(Said(OpenAiNames(), "on_disconnect", " 9"),
            "on_disconnect|on_disconnect 9");
  const absl::Status other = absl::InternalError("x");
  EXPECT_EQ(Renamed(other, OpenAiNames()), other);
}

TEST(FieldNamesTest, AnAdapterIsCalledByItsTag) {
  const auto call =
      TextToImage({{"prompt", "a <lora:ink:11>"}, {"loras", {"nix"}}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(Said(Followed(call->names, A1111Names()), "loras[0].weight",
                 " 11 is not from -10 to 10"),
            "prompt|prompt's <lora:ink> 11 is not from -10 to 10");
  EXPECT_EQ(Said(Followed(call->names, A1111Names()), "loras[1].name",
                 " \"nix\" is none"),
            "loras[0].name|loras[0].name \"nix\" is none");
}

TEST(FieldNamesTest, AUnitIsCalledByItsPlace) {
  const json units = {
      nullptr,
      {{"model", "a"}, {"image", "aGk="}},
      {{"enabled", false}},
      {{"model", "b"}, {"module", "ip-adapter"}, {"image", "aGk="}},
      {{"model", "c"}, {"input_image", {{"image", "aGk="}}}}};
  const json later = {{"name", "d"}, {"image", "aGk="}};
  const auto call =
      TextToImage({{"alwayson_scripts", {{"controlnet", {{"args", units}}}}},
                   {"controls", json::array({later})}});
  ASSERT_THAT(call, IsOk());
  const std::string args = "alwayson_scripts.controlnet.args";
  for (const auto& [field, own] :
       {std::pair("controls[0].name", args + "[1].model"),
        std::pair("controls[1].picture.data", args + "[4].input_image.image"),
        std::pair("controls[1].canny_high", args + "[4].threshold_b"),
        std::pair("image_prompts[0].pictures[0].data", args + "[3].image"),
        std::pair("controls", args),
        std::pair("controls[2].picture.data", std::string("controls[0].image")),
        std::pair("controls[2].weight", std::string("controls[0].weight"))}) {
    EXPECT_EQ(OwnName(Followed(call->names, A1111Names()), field), own)
        << field;
  }
}

// By the names that it has, not by those of fields that nobody sent.
TEST(FieldNamesTest, ASecondPassIsCalledAsTheBodyHasIt) {
  const auto said = [](const absl::StatusOr<A1111Call>& call,
                       const std::string& field) {
    EXPECT_THAT(call, IsOk());
    return Said(Followed(call->names, A1111Names()), field, " 9 is too much");
  };
  EXPECT_EQ(said(TextToImage({{"hires", {{"factor", 9}}}}), "hires.factor"),
            "hires.factor|hires.factor 9 is too much");
  EXPECT_EQ(said(ImageToImage({{"hires", {{"factor", 2}}}}), "hires"),
            "hires|hires 9 is too much");
  EXPECT_EQ(said(TextToImage({{"variation", {{"strength", 1}}}}),
                 "variation.strength"),
            "variation.strength|variation.strength 9 is too much");
  EXPECT_EQ(said(TextToImage({{"churn", {{"amount", 1}}}}), "churn.amount"),
            "churn.amount|churn.amount 9 is too much");
  EXPECT_EQ(said(TextToImage({{"enable_hr", true}}), "hires.factor"),
            "hr_scale|hr_scale 9 is too much");
}

TEST(FieldNamesTest, UnitsThatAreOffNameNothing) {
  const auto call = TextToImage(
      {{"alwayson_scripts",
        {{"controlnet", {{"args", {nullptr, {{"enabled", false}}}}}}}},
       {"controls", json::array({{{"name", "d"}, {"image", "aGk="}}})}});
  ASSERT_THAT(call, IsOk());
  EXPECT_EQ(OwnName(Followed(call->names, A1111Names()), "controls"),
            "controls");
  EXPECT_EQ(OwnName(Followed(call->names, A1111Names()), "image_prompts"),
            "image_prompts");
  EXPECT_EQ(
      OwnName(Followed(call->names, A1111Names()), "controls[0].picture.data"),
      "controls[0].image");
}

}  // namespace
}  // namespace genzo
