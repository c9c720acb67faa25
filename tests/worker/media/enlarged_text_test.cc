#include "worker/media/enlarged_text.h"

#include <map>
#include <regex>

#include "base/pictures/picture_metadata.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/image_parameters.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/provenance.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kPostprocessing[] = "postprocessing";

std::string FileOf(const PictureText& text,
                   v1::ImageFormat format = v1::IMAGE_FORMAT_PNG) {
  return EncodePicture(Scene(40, 24), {.format = format, .quality = 80}, text)
      ->data;
}

// The file of a painted fox.
std::string Fox(v1::ImageFormat format) {
  v1::GenerateRequest request;
  request.set_prompt("a fox, in snow");
  request.set_steps(20);
  request.set_guidance_scale(7.5);
  request.set_model("emaki");
  request.mutable_output()->set_embed_parameters(true);
  PictureText text = ImageParameters(request, /*seed=*/7);
  text.emplace_back(kXmpKey, XmpOf(ProvenanceOf(request, /*seed=*/7)));
  return FileOf(text, format);
}

v1::UpscaleRequest Enlarging(const std::string& file,
                             const std::string& upscaler) {
  v1::UpscaleRequest request;
  request.mutable_picture()->set_data(file);
  request.set_upscaler(upscaler);
  request.mutable_output()->set_embed_parameters(true);
  request.mutable_output()->set_mark_provenance(true);
  return request;
}

PictureText Enlarged(const v1::UpscaleRequest& request) {
  return EnlargedText(request, /*by_network=*/true);
}

// The settings as the web UI and its clients read them: the last line, if it
// has at least three (parse_generation_parameters in infotext_utils.py).
std::map<std::string, std::string> Settings(const std::string& parameters) {
  const std::regex setting(
      R"re(\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$))re");
  const std::string last = parameters.substr(parameters.rfind('\n') + 1);
  std::map<std::string, std::string> settings;
  for (std::sregex_iterator i(last.begin(), last.end(), setting), end; i != end;
       ++i) {
    settings[(*i)[1]] = (*i)[2];
  }
  return settings.size() < 3 ? std::map<std::string, std::string>() : settings;
}

TEST(EnlargedTextTest, ReadersOfParametersFindTheUpscalerInEveryFormat) {
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    v1::UpscaleRequest request = Enlarging(Fox(format), "a, b: \"c\"");
    request.set_factor(2.5);
    const auto read = ReadPictureText(FileOf(Enlarged(request), format));
    ASSERT_THAT(read, IsOk());
    const std::string parameters = TextOf(*read, kParametersKey);
    EXPECT_THAT(parameters, ::testing::StartsWith("a fox, in snow\nSteps: "));
    auto settings = Settings(parameters);
    EXPECT_EQ(settings["Steps"], "20");
    EXPECT_EQ(settings["Seed"], "7");
    EXPECT_EQ(settings["RNG"], "CPU");
    EXPECT_EQ(settings["Postprocess upscale by"], "2.5");
    EXPECT_EQ(settings["Postprocess upscaler"], R"("a, b: \"c\"")");
  }
}

TEST(EnlargedTextTest, ItTellsTheSizeOrTheFactorThatWasAskedFor) {
  v1::UpscaleRequest request = Enlarging(Fox(v1::IMAGE_FORMAT_PNG), "tiny");
  const auto told = [&] { return TextOf(Enlarged(request), kParametersKey); };
  EXPECT_THAT(told(), EndsWith(", RNG: CPU, Postprocess upscaler: tiny"));
  request.set_width(192);
  request.set_height(108);
  EXPECT_THAT(told(), EndsWith(", Postprocess upscale to: 192x108, "
                               "Postprocess upscaler: tiny"));
  request = Enlarging(Fox(v1::IMAGE_FORMAT_PNG), "lanczos");
  EXPECT_THAT(told(), EndsWith(", Postprocess upscale by: 2, "
                               "Postprocess upscaler: lanczos"));
}

TEST(EnlargedTextTest, TheMarkHasEveryEnlargingInOrder) {
  v1::UpscaleRequest first = Enlarging(Fox(v1::IMAGE_FORMAT_JPEG), "tiny");
  first.set_factor(2);
  const v1::UpscaleRequest second =
      Enlarging(FileOf(Enlarged(first), v1::IMAGE_FORMAT_JPEG), "lanczos");
  const auto mark = ReadXmp(TextOf(Enlarged(second), kXmpKey));
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->source_type, "trainedAlgorithmicMedia");
  EXPECT_THAT(mark->request_json, HasSubstr("a fox"));
  EXPECT_THAT(mark->enlarged_json,
              ElementsAre(HasSubstr("\"tiny\",\"factor\":2"),
                          HasSubstr("\"lanczos\"")));
}

// Behind a prompt the words would be read as a part of it.
TEST(EnlargedTextTest, BesideOtherTextsItIsToldAsTheWebUiTellsIt) {
  for (const PictureText& said :
       {PictureText{},
        PictureText{{kParametersKey, "Steps: of a house\nfox"}}}) {
    const PictureText text = Enlarged(Enlarging(FileOf(said), "tiny"));
    EXPECT_EQ(TextOf(text, kParametersKey), TextOf(said, kParametersKey));
    EXPECT_EQ(TextOf(text, kPostprocessing), "Postprocess upscaler: tiny");
    const PictureText again = Enlarged(Enlarging(FileOf(text), "lanczos"));
    EXPECT_EQ(TextOf(again, kPostprocessing),
              "Postprocess upscaler: tiny, Postprocess upscale by: 2, "
              "Postprocess upscaler: lanczos");
  }
}

TEST(EnlargedTextTest, WithoutParametersNoEnlargingIsTold) {
  const std::string once =
      FileOf(Enlarged(Enlarging(Fox(v1::IMAGE_FORMAT_PNG), "tiny")));
  v1::UpscaleRequest request = Enlarging(once, "deep");
  request.mutable_output()->set_embed_parameters(false);
  const PictureText text = Enlarged(request);
  ASSERT_EQ(text.size(), 1u);
  const auto mark = ReadXmp(TextOf(text, kXmpKey));
  ASSERT_TRUE(mark.has_value());
  EXPECT_EQ(mark->source_type, "trainedAlgorithmicMedia");
  EXPECT_THAT(mark->enlarged_json, IsEmpty());
}

}  // namespace
}  // namespace genzo
