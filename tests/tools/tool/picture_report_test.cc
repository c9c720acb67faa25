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
