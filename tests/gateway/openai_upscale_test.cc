#include "gateway/field_names.h"
#include "tests/gateway/door_test.h"

namespace genzo {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class OpenAiUpscaleTest : public DoorTest {
 protected:
  using Parts = std::vector<std::pair<std::string, std::string>>;
  RawAnswer Enlarge(const Parts& parts, const std::string& headers = "") {
    return Ask("POST", "/v1/images/upscales", FormOf(parts),
               headers + "Content-Type: multipart/form-data; boundary=b\r\n");
  }
  json Refusal(const Parts& parts) {
    const RawAnswer answer = Enlarge(parts);
    EXPECT_EQ(answer.status, 400) << answer.body;
    return json::parse(answer.body)["error"];
  }
};

TEST_F(OpenAiUpscaleTest, EnlargesAPictureThatIsThere) {
  const RawAnswer answer = Enlarge({{"image", "png"},
                                    {"upscaler", "realesrgan-x4"},
                                    {"factor", "2.5"},
                                    {"output_format", "webp"},
                                    {"output_compression", "70"},
                                    {"user", "u"}},
                                   "Authorization: Bearer key\r\n");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const json body = json::parse(answer.body);
  ASSERT_EQ(body["data"].size(), 1u);
  EXPECT_EQ(body["data"][0]["b64_json"], kDone);
  EXPECT_EQ(body["output_format"], "webp");
  const v1::UpscaleRequest request = service_.upscale();
  EXPECT_EQ(request.picture().data(), "png");
  EXPECT_EQ(request.upscaler(), "realesrgan-x4");
  EXPECT_EQ(request.factor(), 2.5);
  EXPECT_FALSE(request.has_width());
  EXPECT_EQ(request.output().format(), v1::IMAGE_FORMAT_WEBP);
  EXPECT_EQ(request.output().quality(), 70u);
  EXPECT_EQ(service_.Metadata("authorization"), "Bearer key");
}

TEST_F(OpenAiUpscaleTest, TakesASizeAndTellsALink) {
  const json body = json::parse(
      Enlarge(
          {{"image", "png"}, {"size", "640x480"}, {"response_format", "url"}})
          .body);
  EXPECT_EQ(service_.upscale().width(), 640u);
  EXPECT_EQ(service_.upscale().height(), 480u);
  EXPECT_FALSE(service_.upscale().has_factor());
  const std::string url = body["data"][0]["url"];
  EXPECT_EQ(Ask("GET", url.substr(url.find("/v1/"))).body, "done");
}

TEST_F(OpenAiUpscaleTest, StreamsItsTiles) {
  const RawAnswer answer = Enlarge({{"image", "png"}, {"stream", "true"}});
  EXPECT_EQ(answer.Header("content-type"), "text/event-stream");
  const auto events = EventsIn(answer.body);
  ASSERT_THAT(NamesOf(events),
              ::testing::ElementsAre("image_upscale.progress",
                                     "image_upscale.completed"));
  EXPECT_EQ(events[0].data["type"], events[0].name);
  EXPECT_EQ(events[0].data["tiles_done"], 1);
  EXPECT_EQ(events[0].data["tiles"], 2);
  EXPECT_EQ(events[1].data["b64_json"], kDone);
  EXPECT_EQ(Refusal({{"image", "png"},
                     {"stream", "true"},
                     {"response_format", "url"}})["param"],
            "response_format");
}

TEST_F(OpenAiUpscaleTest, NamesWhatIsWrong) {
  EXPECT_EQ(Refusal({{"factor", "2"}})["param"], "image");
  for (const auto& [field, text] :
       std::vector<std::pair<std::string, std::string>>{
           {"factor", "17"},
           {"size", "large"},
           {"output_format", "gif"},
           {"mask", "png"},
           {"prompt", "a fox"}}) {
    const json error = Refusal({{"image", "png"}, {field, text}});
    EXPECT_EQ(error["param"], field);
    EXPECT_THAT(error["message"].get<std::string>(), HasSubstr(field));
  }
}

// What the service says is told by the form's names.
TEST_F(OpenAiUpscaleTest, CallsFieldsAsTheFormDoes) {
  for (const auto& [service, own] :
       {std::pair("picture.data", "image"), std::pair("width", "size"),
        std::pair("height", "size"), std::pair("factor", "factor"),
        std::pair("output.format", "output_format")}) {
    const absl::Status status = Renamed(
        InvalidFieldsError({{service, absl::StrCat(service, " is bad")}}),
        OpenAiUpscaleNames());
    EXPECT_EQ(status.message(), absl::StrCat(own, " is bad"));
  }
}

}  // namespace
}  // namespace genzo
