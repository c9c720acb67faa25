#include "tools/tool/picture_report.h"

#include "tests/testing/matchers.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/provenance.h"
#include "worker/media/watermark.h"

namespace genzo {
namespace {

TEST(PictureReportTest, TellsWhatAGenzoPictureSays) {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_steps(9);
  request.mutable_output()->set_embed_parameters(true);
  Pixels pixels{
      .width = 128, .height = 128, .rgb = std::string(128 * 128 * 3, '\x60')};
  AddWatermark(pixels);
  const auto file =
      EncodePicture(pixels, {.format = v1::IMAGE_FORMAT_WEBP},
                    {{kParametersKey, "a fox\nSteps: 9"},
                     {kXmpKey, XmpOf(ProvenanceOf(request, /*seed=*/7))}});
  ASSERT_THAT(file, IsOk());
  const auto report = ReportPicture(file->data);
  ASSERT_THAT(report, IsOk());
  for (const char* part :
       {"WebP, 128 x 128 pixels", "parameters\n  a fox\n  Steps: 9",
        "trainedAlgorithmicMedia", "watermark\n  Genzo's",
        "genzo generate 'a fox' --seed 7 --steps 9"}) {
    EXPECT_THAT(*report, ::testing::HasSubstr(part));
  }
}

// What is read of a file of `side` pixels each way that says that it was
// painted with 64.
std::string ReportOf(int side, v1::GenerateRequest request,
                     const std::vector<std::string>& enlarged_json = {}) {
  request.set_width(64);
  request.set_height(64);
  request.mutable_output()->set_embed_parameters(true);
  const Pixels pixels{.width = side,
                      .height = side,
                      .rgb = std::string(size_t{3} * side * side, '\x60')};
  Provenance provenance = ProvenanceOf(request, /*seed=*/7);
  provenance.enlarged_json = enlarged_json;
  const auto file = EncodePicture(pixels, {.format = v1::IMAGE_FORMAT_JPEG},
                                  {{kXmpKey, XmpOf(provenance)}});
  return ReportPicture(file->data).value();
}

TEST(PictureReportTest, TellsHowALargerFileWasMade) {
  constexpr char kEnlarged[] =
      "genzo upscale FILE --upscaler NAME --size 192,192 --format jpeg\n";
  EXPECT_THAT(ReportOf(192, {}), ::testing::HasSubstr(kEnlarged));
  EXPECT_THAT(ReportOf(64, {}),
              ::testing::Not(::testing::HasSubstr("genzo upscale")));
  v1::GenerateRequest twice;
  twice.mutable_hires()->set_width(192);
  twice.mutable_hires()->set_height(192);
  EXPECT_THAT(ReportOf(192, twice),
              ::testing::Not(::testing::HasSubstr("genzo upscale")));
  v1::GenerateRequest within;  // the one command enlarges it
  within.mutable_output()->set_upscaler("ultra");
  EXPECT_THAT(
      ReportOf(192, within),
      ::testing::AllOf(::testing::HasSubstr("--upscaler ultra"),
                       ::testing::Not(::testing::HasSubstr("genzo upscale"))));
  EXPECT_THAT(ReportOf(160, within), ::testing::HasSubstr("--size 160,160"));
}

TEST(PictureReportTest, TellsWhatAFileWasEnlargedWith) {
  const std::string report =
      ReportOf(192, {},
               {R"({"upscaler":"tiny","factor":1.5})", "no JSON",
                R"({"upscaler":"it's","width":192,"height":192,
           "output":{"format":"IMAGE_FORMAT_JPEG","watermark":true}})"});
  EXPECT_THAT(
      report,
      ::testing::HasSubstr(
          "and then, FILE being what that made, by\n"
          "  genzo upscale FILE --upscaler tiny --factor 1.5\n"
          "and then, FILE being what that made, by\n"
          "  genzo upscale FILE --upscaler 'it'\\''s' --size 192,192 --format "
          "jpeg\n"
          "and by these fields, which the command has no options for\n"
          "  output\n"));
  EXPECT_THAT(report, ::testing::HasSubstr("painted again by\n"));
  EXPECT_THAT(report, ::testing::Not(::testing::HasSubstr("NAME")));
}

// Nothing is told of what painted it.
TEST(PictureReportTest, TellsHowAPhotographWasEnlarged) {
  Provenance provenance;
  provenance.source_type = "algorithmicallyEnhanced";
  provenance.enlarged_json = {R"({"upscaler":"tiny"})"};
  const auto file = EncodePicture(
      {.width = 64, .height = 64, .rgb = std::string(64 * 64 * 3, '\x60')},
      {.format = v1::IMAGE_FORMAT_PNG}, {{kXmpKey, XmpOf(provenance)}});
  const auto report = ReportPicture(file->data);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(*report,
              ::testing::HasSubstr("enlarged by, FILE being what it was before"
                                   "\n  genzo upscale FILE --upscaler tiny\n"));
}

TEST(PictureReportTest, OfOthersPicturesItTellsThatItKnowsNothing) {
  const auto file = EncodePicture(
      {.width = 64, .height = 64, .rgb = std::string(64 * 64 * 3, '\x60')},
      {.format = v1::IMAGE_FORMAT_PNG}, {});
  const auto report = ReportPicture(file->data);
  ASSERT_THAT(report, IsOk());
  EXPECT_THAT(*report, ::testing::HasSubstr("none found"));
  EXPECT_THAT(*report, ::testing::Not(::testing::HasSubstr("genzo generate")));
  EXPECT_THAT(ReportPicture("rubbish"),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

}  // namespace
}  // namespace genzo
