#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gateway/a1111_answers.h"
#include "gateway/door_error.h"
#include "gateway/field_names.h"
#include "gateway/json_body.h"
#include "gateway/multipart.h"
#include "gateway/painting.h"
#include "gateway/picture_store.h"
#include "gateway/proto_json.h"
#include "gateway/proto_schemas.h"
#include "gateway/sampler_labels.h"
#include "gateway/target.h"
#include "genzo/v1/jobs.pb.h"
#include "tests/gateway/form_parts.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(TargetTest, ReadsPathAndQuery) {
  const auto target = ParseTarget("/a%20b?x=1&y=a+b%26&x=2");
  ASSERT_THAT(target, IsOk());
  EXPECT_EQ(target->path, "/a b");
  EXPECT_EQ(target->query.at("x"), "2");
  EXPECT_EQ(target->query.at("y"), "a b&");
  EXPECT_EQ(ParseTarget("http://host:1/p")->path, "/p");
  EXPECT_EQ(ParseTarget("http://host")->path, "/");
}

TEST(TargetTest, RefusesWhatCouldLeaveTheFolder) {
  for (const char* text :
       {"", "a", "//host/a", "/..", "/a/../b", "/%2e%2E/b", "/./a", "/a%2Fb",
        "/a%5cb", "/a%00", "/a%0a", "/%c3%28", "/a#b", "/a b", "/%zz"}) {
    EXPECT_THAT(ParseTarget(text), StatusIs(kInvalid, "path")) << text;
  }
}

TEST(JsonBodyTest, RefusesWhatIsNoSoundObject) {
  EXPECT_THAT(ParseJsonObject("[1]"), StatusIs(kInvalid, "not a JSON object"));
  EXPECT_THAT(ParseJsonObject("{\"a\":"), StatusIs(kInvalid, "not JSON"));
  EXPECT_THAT(ParseJsonObject("{\"a\":1,\"a\":2}"),
              StatusIs(kInvalid, "twice"));
  EXPECT_THAT(ParseJsonObject("{\"a\":\"\xff\"}"),
              StatusIs(kInvalid, "not JSON"));
  EXPECT_THAT(ParseJsonObject("{\"a\":" + std::string(1 << 20, '[')),
              StatusIs(kInvalid, "nested deeper than 32"));
}

TEST(FieldReaderTest, NamesEveryFieldThatDoesNotFit) {
  const json body = {{"n", 11},        {"seed", "x"}, {"scale", -1.5},
                     {"flag", "yes"},  {"kind", "c"}, {"more", 1},
                     {"null", nullptr}};
  FieldReader reader(body);
  reader.Whole("n", 1, 10);
  reader.Whole("seed", 0, 10);
  reader.Number("scale", 0, 100);
  reader.Truth("flag");
  reader.Choice("kind", {"a", "b"});
  EXPECT_FALSE(reader.Text("null").has_value());
  reader.RefuseTheRest();
  const std::string message(reader.status().message());
  for (const char* text :
       {"n 11 is not a whole number from 1 to 10", "seed \"x\" is not a whole",
        "scale -1.5 is not a number from 0 to 100", "flag \"yes\" is neither",
        "kind \"c\" is not one of a, b", "\"more\" is not a field"}) {
    EXPECT_THAT(message, HasSubstr(text));
  }
  EXPECT_EQ(ViolationsIn(reader.status()).size(), 6u);
}

TEST(FieldReaderTest, TakesTextsForNumbersInForms) {
  const json body = {{"n", "3"}, {"scale", "7.5"}, {"flag", "true"}};
  FieldReader form(body, FieldReader::Values::kMayBeText);
  EXPECT_EQ(form.Whole("n", 1, 10), 3);
  EXPECT_EQ(form.Number("scale", 0, 10), 7.5);
  EXPECT_EQ(form.Truth("flag"), true);
  EXPECT_THAT(form.status(), IsOk());
  FieldReader typed(body);
  EXPECT_FALSE(typed.Whole("n", 1, 10).has_value());
  // Numbers that no integer holds, and those that some clients write.
  const json numbers = {{"a", 1e30}, {"b", 20.0}, {"c", 18446744073709551615u}};
  FieldReader reader(numbers);
  EXPECT_FALSE(reader.Whole("a", 0, INT64_MAX).has_value());
  EXPECT_EQ(reader.Whole("b", 0, 100), 20);
  EXPECT_FALSE(reader.Whole("c", 0, INT64_MAX).has_value());
}

TEST(FieldReaderTest, ASeedIsAnythingThatFitsInto64Bits) {
  const json body = {{"most", 18446744073709551615u},
                     {"real", 7.0},
                     {"drawn", -1},
                     {"low", -2},
                     {"high", 18446744073709551616.0}};
  FieldReader reader(body);
  EXPECT_EQ(reader.Seed("most"), 18446744073709551615u);
  EXPECT_EQ(reader.Seed("real"), 7u);
  EXPECT_FALSE(reader.Seed("drawn").has_value());
  EXPECT_FALSE(reader.Seed("absent").has_value());
  EXPECT_THAT(reader.status(), IsOk());
  EXPECT_FALSE(reader.Seed("low").has_value());
  EXPECT_FALSE(reader.Seed("high").has_value());
  EXPECT_EQ(ViolationsIn(reader.status()).size(), 2u);
  EXPECT_THAT(reader.status(),
              StatusIs(kInvalid,
                       "low -2 is not a whole number from -1 to "
                       "18446744073709551615"));
  const json form = {{"seed", "18446744073709551615"}};
  EXPECT_EQ(FieldReader(form, FieldReader::Values::kMayBeText).Seed("seed"),
            18446744073709551615u);
}

TEST(DecodePictureTest, TakesBase64WithAndWithoutItsType) {
  EXPECT_EQ(DecodePicture("aGk="), "hi");
  EXPECT_EQ(DecodePicture("data:image/png;base64,aGk="), "hi");
  EXPECT_FALSE(DecodePicture("data:image/png,aGk=").has_value());
  EXPECT_FALSE(DecodePicture("?").has_value());
}

std::string Form(const std::string& parts) { return parts + "--b--\r\n"; }
TEST(MultipartTest, ReadsFieldsAndFiles) {
  const std::string body =
      Form(Part(kField, "1") +
           Part("content-disposition: form-data; filename=\"x \\\"y\\\".png\"; "
                "name=\"image[]\"\r\nContent-Type: image/png",
                "\r\n--\r\n-b\r\n") +
           Part("Content-Disposition:form-data;name=\"e\"", ""));
  const auto parts = ParseForm(body, "b");
  ASSERT_THAT(parts, IsOk());
  ASSERT_EQ(parts->size(), 3u);
  EXPECT_EQ((*parts)[0].name, "a");
  EXPECT_EQ((*parts)[0].content, "1");
  EXPECT_EQ((*parts)[0].file_name, "");
  EXPECT_EQ((*parts)[1].name, "image[]");
  EXPECT_EQ((*parts)[1].file_name, "x \"y\".png");
  EXPECT_EQ((*parts)[1].content_type, "image/png");
  EXPECT_EQ((*parts)[2].content, "");
}

TEST(MultipartTest, ABoundaryInsideALineIsContent) {
  const std::string body = Form(Part(kField, "x--b--y"));
  EXPECT_EQ(ParseForm(body, "b")->at(0).content, "x--b--y");
}

TEST(MultipartTest, RefusesWhatIsNotStrict) {
  const std::string many = [] {
    std::string parts;
    for (size_t i = 0; i <= kMaxFormParts; ++i) parts += Part(kField, "1");
    return parts;
  }();
  for (const auto& [body, why] :
       std::vector<std::pair<std::string, std::string>>{
           {"", "begin"},
           {"x" + Form(Part(kField, "1")), "begin"},
           {Part(kField, "1"), "last boundary"},
           {Form(Part(kField, "1")) + "x", "last boundary"},
           {"--b\n" + std::string(kField) + "\n\n1\n--b--\n", "last boundary"},
           {Form(Part("Content-Type: text/plain", "1")), "Content-Disposition"},
           {Form(Part(std::string(kField) + "\r\n" + kField, "1")), "two"},
           {Form(Part("Content-Disposition: form-data", "1")), "name"},
           {Form(Part("Content-Disposition: form-data; name=\"a", "1")),
            "name"},
           {Form(Part("Content-Disposition: form-data; name=a; name=b", "1")),
            "name"},
           {Form(Part("Content-Disposition: attachment; name=a", "1")),
            "form-data"},
           {Form(Part(
                std::string(kField) + "\r\nContent-Transfer-Encoding: base64",
                "1")),
            "Transfer"},
           {Form(Part(std::string(kField) + "\r\nbad header: 1", "1")), "none"},
           {Form(Part(std::string(kField) + "\r\nA: " + std::string(5000, 'a'),
                      "1")),
            "4096"},
           {Form(many), "more than 64"}}) {
    EXPECT_THAT(ParseForm(body, "b"), StatusIs(kInvalid, why))
        << body.substr(0, 200);
  }
}

TEST(MultipartTest, FindsTheBoundary) {
  EXPECT_EQ(BoundaryOf("multipart/form-data; boundary=abc"), "abc");
  EXPECT_EQ(BoundaryOf("Multipart/Form-Data; charset=x; boundary=\"a b'c\""),
            "a b'c");
  for (const char* text :
       {"multipart/form-data",
        "multipart/form-data; boundary=", "multipart/mixed; boundary=a",
        "multipart/form-data; boundary=\"a\xff\"",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\"a \"",
        "multipart/form-data boundary=a"}) {
    EXPECT_EQ(BoundaryOf(text), "") << text;
  }
  EXPECT_EQ(BoundaryOf("multipart/form-data; boundary=" + std::string(71, 'a')),
            "");
}

// As A1111 does, whichever of the formats it is.
TEST(A1111PngInfoTest, ReadsEveryFormat) {
  const std::string folder = SourcePath("tests/data/pictures/");
  for (const char* name : {"exif_png.png", "exif1.jpg", "exif_webp.webp"}) {
    const std::string file = ReadFile(folder + name);
    ASSERT_FALSE(file.empty()) << name;
    EXPECT_THAT(A1111PngInfo(file), IsOk()) << name;
    EXPECT_THAT(A1111PngInfo(file.substr(0, 20)), StatusIs(kInvalid, "image: "))
        << name;
  }
  // A tag of 0x9286, UserComment, in Exif behind JPEG's first mark.
  const std::string comment =
      std::string("UNICODE\0", 8) + std::string("\0a\0 \0f\0o\0x", 10);
  const std::string exif =
      std::string("Exif\0\0MM\0*\0\0\0\b", 14) +
      std::string("\0\1\x87\x69\0\4\0\0\0\1\0\0\0\x1a\0\0\0\0", 18) +
      std::string("\0\1\x92\x86\0\7\0\0\0\x12\0\0\0\x2c\0\0\0\0", 18) + comment;
  std::string file = ReadFile(folder + "grey_jpg.jpg");
  const size_t size = exif.size() + 2;
  file.insert(2, std::string("\xff\xe1") + static_cast<char>(size >> 8) +
                     static_cast<char>(size & 0xff) + exif);
  const auto read = A1111PngInfo(file);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ((*read)["info"], "a fox");
  EXPECT_EQ((*read)["items"]["parameters"], "a fox");
}

TEST(A1111PngInfoTest, OfAKeyThatIsThereTwiceTheLastCounts) {
  std::string file = ReadFile(SourcePath("tests/data/pictures/rgb_png.png"));
  constexpr size_t kBehindHeader = 33;
  file.insert(kBehindHeader,
              std::string("\0\0\0\ftEXtparameters\0a\x82\x0e\x34\xd8", 24) +
                  std::string("\0\0\0\ftEXtparameters\0b\x1b\x07\x65\x62", 24));
  const auto read = A1111PngInfo(file);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ((*read)["info"], "b");
  EXPECT_EQ((*read)["items"]["parameters"], "b");
  EXPECT_EQ((*read)["parameters"]["Prompt"], "b");
}

TEST(A1111PngInfoTest, ReadsNothingThatIsNoPicture) {
  EXPECT_THAT(A1111PngInfo(""), StatusIs(kInvalid, "PNG"));
  EXPECT_THAT(A1111PngInfo("GIF89a"), StatusIs(kInvalid, "PNG"));
}

TEST(SamplerLabelsTest, KnowsEverySamplerByItsLabelAndItsName) {
  const auto& samplers = *v1::Sampler_descriptor();
  for (int i = 1; i < samplers.value_count(); ++i) {
    const auto sampler = static_cast<v1::Sampler>(samplers.value(i)->number());
    for (const std::string& name : {samplers.value(i)->name(), LabelOf(sampler),
                                    absl::AsciiStrToLower(LabelOf(sampler))}) {
      const auto choice = SamplerNamed(name);
      ASSERT_TRUE(choice.has_value()) << name;
      EXPECT_EQ(choice->sampler, sampler) << name;
    }
  }
  const auto& schedules = *v1::NoiseSchedule_descriptor();
  for (int i = 0; i < schedules.value_count(); ++i) {
    const auto schedule =
        static_cast<v1::NoiseSchedule>(schedules.value(i)->number());
    EXPECT_EQ(ScheduleNamed(LabelOf(schedule)), schedule);
  }
  EXPECT_EQ(ScheduleNamed("DDIM"), v1::NOISE_SCHEDULE_DDIM_UNIFORM);
}

TEST(SamplerLabelsTest, WritesAndReadsA1111sNames) {
  EXPECT_EQ(LabelOf(v1::SAMPLER_DPMPP_2M), "DPM++ 2M");
  EXPECT_EQ(LabelOf(v1::SAMPLER_EULER_ANCESTRAL), "Euler a");
  EXPECT_EQ(LabelOf(v1::SAMPLER_DDIM), "DDIM");
  EXPECT_EQ(LabelOf(v1::NOISE_SCHEDULE_KARRAS), "Karras");
  const auto choice = SamplerNamed("DPM++ 2M Karras");
  ASSERT_TRUE(choice.has_value());
  EXPECT_EQ(choice->sampler, v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(choice->schedule, v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_EQ(SamplerNamed("PLMS")->sampler, v1::SAMPLER_PNDM);
  EXPECT_FALSE(SamplerNamed("").has_value());
  EXPECT_FALSE(SamplerNamed("Euler b").has_value());
}

TEST(PreviewStepsTest, SpreadsThemEvenlyAndNeverOnTheLast) {
  v1::GenerateRequest request;
  EXPECT_THAT(PreviewSteps(request, 20, 3), ElementsAre(5, 10, 15));
  EXPECT_THAT(PreviewSteps(request, 20, 0), IsEmpty());
  EXPECT_THAT(PreviewSteps(request, 2, 3), ElementsAre(1));
  EXPECT_THAT(PreviewSteps(request, 1, 3), IsEmpty());
  request.mutable_image_to_image()->set_strength(0.5);
  EXPECT_THAT(PreviewSteps(request, 20, 1), ElementsAre(15));
}

// By the work: a step of the second pass takes as long as four of the first.
TEST(PreviewStepsTest, ReachIntoTheSecondPass) {
  v1::GenerateRequest request;
  v1::HiresPass& hires = *request.mutable_hires();
  EXPECT_THAT(PreviewSteps(request, 20, 3), ElementsAre(19, 24, 29));
  hires.set_factor(1);
  hires.set_steps(40);
  hires.set_strength(0.5);
  EXPECT_THAT(PreviewSteps(request, 20, 3), ElementsAre(10, 20, 30));
  hires.set_steps(1);
  EXPECT_THAT(PreviewSteps(request, 1, 1), ElementsAre(1));
  // What is out of range is for the service to refuse.
  hires.set_factor(std::nan(""));
  hires.set_strength(std::nan(""));
  EXPECT_THAT(PreviewSteps(request, 20, 1), ElementsAre(12));
}

TEST(RequestIdTest, IsAUuidWhateverTheKey) {
  const std::string uuid = "01234567-89ab-cdef-0123-456789abcdef";
  EXPECT_EQ(RequestIdOf(uuid), uuid);
  EXPECT_EQ(RequestIdOf("key").size(), 36u);
  EXPECT_EQ(RequestIdOf("key"), RequestIdOf("key"));
  EXPECT_NE(RequestIdOf("key"), RequestIdOf("kez"));
}

TEST(PictureStoreTest, FollowsOnlyLinksThatItMade) {
  FakeClock clock;
  PictureStore store("secret", {.kept = absl::Minutes(1)}, clock);
  const std::string link = store.Keep("bytes", "image/png");
  const size_t query = link.find('?');
  const std::string name = link.substr(0, query);
  EXPECT_THAT(name, HasSubstr(".png"));
  const std::string expires =
      link.substr(query + 9, link.find('&') - query - 9);
  const std::string signature = link.substr(link.rfind('=') + 1);
  const auto found = store.Find(name, expires, signature);
  ASSERT_THAT(found, IsOk());
  EXPECT_EQ(*found->bytes, "bytes");
  constexpr auto kDenied = absl::StatusCode::kPermissionDenied;
  EXPECT_THAT(store.Find(name, expires + "0", signature),
              StatusIs(kDenied, "signature"));
  EXPECT_THAT(store.Find("x" + name, expires, signature),
              StatusIs(kDenied, "signature"));
  EXPECT_THAT(store.Find(name, expires, ""), StatusIs(kDenied, "signature"));
  EXPECT_THAT(PictureStore("other", {}, clock).Find(name, expires, signature),
              StatusIs(kDenied, "signature"));
  clock.Advance(absl::Minutes(1));
  EXPECT_THAT(store.Find(name, expires, signature),
              StatusIs(absl::StatusCode::kNotFound, "expired"));
}

TEST(PictureStoreTest, DropsTheOldestWhereThereIsNoRoom) {
  FakeClock clock;
  PictureStore store("secret", {.max_bytes = 10}, clock);
  const auto find = [&](const std::string& link) {
    const size_t query = link.find('?');
    return store.Find(link.substr(0, query),
                      link.substr(query + 9, link.find('&') - query - 9),
                      link.substr(link.rfind('=') + 1));
  };
  const std::string first = store.Keep("123456", "image/png");
  const std::string second = store.Keep("123456", "image/png");
  EXPECT_THAT(find(first), StatusIs(absl::StatusCode::kNotFound, "kept"));
  EXPECT_THAT(find(second), IsOk());
}

TEST(DoorErrorTest, TurnsCodesIntoStatuses) {
  const auto status_of = [](const absl::Status& status) {
    return ErrorResponse(DoorKind::kOpenAi, status).status;
  };
  EXPECT_EQ(status_of(InvalidFieldsError({{"a", "a is wrong"}})), 400);
  EXPECT_EQ(status_of(ModelNotFoundError("x", {})), 404);
  EXPECT_EQ(status_of(absl::UnauthenticatedError("")), 401);
  EXPECT_EQ(status_of(absl::ResourceExhaustedError("too large")), 422);
  EXPECT_EQ(status_of(absl::InternalError("")), 500);
  const HttpResponse full = ErrorResponse(
      DoorKind::kOpenAi,
      RetryLaterError("QUEUE_FULL", "full", absl::Milliseconds(6100)));
  EXPECT_EQ(full.status, 429);
  EXPECT_THAT(full.headers,
              ::testing::Contains(
                  std::pair<std::string, std::string>("retry-after", "7")));
  EXPECT_EQ(status_of(RetryLaterError("DRAINING", "", absl::Seconds(1))), 503);
}

TEST(DoorErrorTest, CallsFieldsAsTheDoorDoes) {
  const absl::Status status = Renamed(
      InvalidFieldsError({{"image_count", "image_count 9 is not from 1 to 8"}}),
      OpenAiNames());
  EXPECT_EQ(OpenAiError(status)["param"], "n");
  EXPECT_EQ(OpenAiError(status)["message"], "n 9 is not from 1 to 8");
  EXPECT_EQ(OpenAiError(status)["code"], "invalid_field");
  const json a1111 = json::parse(ErrorResponse(DoorKind::kA1111, status).body);
  EXPECT_EQ(a1111["detail"][0]["loc"][1], "n");
}

TEST(ProtoJsonTest, NamesTheFieldThatDoesNotFit) {
  v1::CreateJobRequest request;
  EXPECT_THAT(FromJson("{\"request\":{\"prompt\":\"x\",\"steps\":5}}", request),
              IsOk());
  EXPECT_EQ(request.request().steps(), 5u);
  for (const char* text :
       {"{\"request\":{\"steps\":\"many\"}}", "{\"request\":{\"steps\":-1}}",
        "{\"request\":{\"stepz\":1}}",
        "{\"request\":{\"sampler\":\"NONE\"}}"}) {
    const absl::Status status = FromJson(text, request);
    EXPECT_EQ(status.code(), kInvalid) << text;
    ASSERT_EQ(ViolationsIn(status).size(), 1u) << status;
    EXPECT_THAT(ViolationsIn(status)[0].field, HasSubstr("request.s"))
        << status;
  }
}

// As the doors' own fields take them.
TEST(ProtoJsonTest, EnumsMayBeWords) {
  v1::CreateJobRequest job;
  ASSERT_THAT(FromJson(R"({"request": {"sampler": "euler", "schedule": "Karras",
                   "hires": {"upscale": "lanczos", "sampler": "Euler a",
                             "schedule": "NOISE_SCHEDULE_EXPONENTIAL"},
                   "controls": [{"name": "a", "preprocessor": "canny"},
                                {"name": "b", "preprocessor": "tile"}],
                   "output": {"format": "webp"}, "seed": 5, "prompt": "euler",
                   "safetyPolicy": "mark", "guidance_scale": 7.123456789}})",
                       job),
              IsOk());
  const v1::GenerateRequest& request = job.request();
  EXPECT_EQ(request.sampler(), v1::SAMPLER_EULER);
  EXPECT_EQ(request.schedule(), v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_EQ(request.hires().upscale(), v1::HiresPass::UPSCALE_LANCZOS);
  EXPECT_EQ(request.hires().sampler(), v1::SAMPLER_EULER_ANCESTRAL);
  EXPECT_EQ(request.hires().schedule(), v1::NOISE_SCHEDULE_EXPONENTIAL);
  EXPECT_EQ(request.controls(1).preprocessor(),
            v1::ControlInput::PREPROCESSOR_TILE);
  EXPECT_EQ(request.output().format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(request.safety_policy(), v1::SAFETY_POLICY_MARK);
  // What is no enum stays as it is.
  EXPECT_EQ(request.prompt(), "euler");
  EXPECT_EQ(request.seed(), 5u);
  EXPECT_EQ(request.guidance_scale(), 7.123456789);
  // A sampler's name that says a schedule, too, says more than the field can.
  EXPECT_THAT(FromJson(R"({"request": {"sampler": "DPM++ 2M Karras"}})", job),
              StatusIs(kInvalid, "request.sampler \"DPM++ 2M Karras\" is not"));
}

TEST(ProtoJsonTest, SaysWhatFieldMayHaveBeenMeant) {
  const auto said = [](const std::string& body) {
    v1::CreateJobRequest request;
    return std::string(FromJson(body, request).message());
  };
  EXPECT_EQ(said(R"({"prompt": "a fox"})"),
            "prompt is not a field of this; did you mean request.prompt?");
  EXPECT_EQ(said(R"({"request": {"stepz": 1}})"),
            "request.stepz is not a field of this; did you mean steps?");
  EXPECT_EQ(said(R"({"request": {"loras": [{"wieght": 1}]}})"),
            "request.loras[0].wieght is not a field of this; did you mean "
            "weight?");
  EXPECT_EQ(said(R"({"request": {"colour_of_the_sky": 1}})"),
            "request.colour_of_the_sky is not a field of this");
}

TEST(ProtoSchemasTest, OpensWhatIsInside) {
  json fields = {{"hires", {{"type", "object"}, {"description", "Twice."}}},
                 {"variation", {{"type", "object"}}},
                 {"churn", {{"type", "string"}}},
                 {"other", {{"type", "object"}}}};
  OpenObjects(*v1::GenerateRequest::descriptor(), fields);
  EXPECT_EQ(fields["hires"]["description"], "Twice.");
  const json& hires = fields["hires"]["properties"];
  EXPECT_EQ(hires["factor"], json({{"type", "number"}}));
  EXPECT_EQ(hires["upscale"]["enum"],
            json({"latent", "latent_nearest", "latent_bicubic", "lanczos",
                  "network"}));
  EXPECT_EQ(fields["variation"]["properties"]["seed"]["type"], "integer");
  EXPECT_EQ(fields["churn"], json({{"type", "string"}}));
  EXPECT_EQ(fields["other"], json({{"type", "object"}}));
}

TEST(ProtoJsonTest, SaysWhatIsWantedInsteadOfAValue) {
  constexpr char kSteps[] = "is not a whole number from 0 to 4294967295";
  for (const auto& [text, said] :
       std::vector<std::pair<std::string, std::string>>{
           {R"("steps": -1)", absl::StrCat("steps -1 ", kSteps)},
           {R"("steps": 2.5)", absl::StrCat("steps 2.5 ", kSteps)},
           {R"("steps": "abc")", absl::StrCat("steps \"abc\" ", kSteps)},
           {R"("steps": [1])", absl::StrCat("steps [...] ", kSteps)},
           {R"("steps": {})", absl::StrCat("steps {...} ", kSteps)},
           {R"("stepz": 1)", "stepz is not a field of this"},
           {R"("prompt": 5)", "prompt 5 is not a text"},
           {R"("keep_latents": 1)", "keep_latents 1 is not true or false"},
           {R"("keepLatents": 1)", "keep_latents 1 is not true or false"},
           {R"("guidance_scale": "x")", "guidance_scale \"x\" is not a number"},
           {R"("sigmas": [1, "x"])", "sigmas[1] \"x\" is not a number"},
           {R"("sigmas": {})", "sigmas {...} is not a list"},
           {R"("loras": [5])", "loras[0] 5 is not an object"},
           {R"("time_limit": 5)", "time_limit 5 is not a duration as \"1.5s\""},
           {R"("image_to_image": {"image": "?"})",
            "image_to_image.image \"?\" is not bytes in base64"},
           {R"("sampler": "NONE")",
            "sampler \"NONE\" is not one of ddim, pndm, euler, "},
           {R"("hires": {"upscale": "big"})",
            "hires.upscale \"big\" is not one of latent, latent_nearest, "
            "latent_bicubic, lanczos, network"},
           {R"("steps": 1, "steps": 2)",
            " has a field twice, or two fields of which it may have one"}}) {
    v1::CreateJobRequest request;
    const auto faults = ViolationsIn(
        FromJson(absl::StrCat("{\"request\": {", text, "}}"), request));
    ASSERT_EQ(faults.size(), 1u) << text;
    EXPECT_THAT(faults[0].description,
                ::testing::StartsWith(
                    absl::StrCat("request", said[0] == ' ' ? "" : ".", said)));
  }
}

TEST(ProtoJsonTest, NamesAKeyThatNobodyKnowsByItsPath) {
  for (const auto& [text, path] :
       {std::pair(R"({"requesd": {}})", "requesd"),
        std::pair(R"({"request": [1]})", "request"),
        std::pair(R"({"request": {"stepz": 1}})", "request.stepz"),
        std::pair(R"({"request": {"a b": 1}})", "request.a b"),
        std::pair(R"({"request": {"controls": [{}, {"nam": "x"}]}})",
                  "request.controls[1].nam")}) {
    v1::CreateJobRequest request;
    const auto faults = ViolationsIn(FromJson(text, request));
    ASSERT_EQ(faults.size(), 1u) << text;
    EXPECT_EQ(faults[0].field, path);
  }
}

}  // namespace
}  // namespace genzo
