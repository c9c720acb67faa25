#include "worker/media/provenance.h"

#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/picture_encoder.h"
#include "worker/media/picture_metadata.h"

namespace genzo {
namespace {

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("\"fog\" & <雪>");
  request.set_seed(1);
  request.set_image_count(3);
  request.mutable_output()->set_embed_parameters(true);
  request.mutable_image_to_image()->set_image("bytes of a picture");
  request.mutable_image_to_image()->set_image_sha256("digest");
  return request;
}

TEST(ProvenanceTest, IsReadBackFromEveryFormat) {
  const Provenance provenance = ProvenanceOf(Request(), /*seed=*/3);
  const PictureText text = {{kParametersKey, "fog\nSteps: 4"},
                            {kSoftwareKey, "Genzo"},
                            {kXmpKey, XmpOf(provenance)}};
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    const auto file =
        EncodePicture(Scene(40, 24), {.format = format, .quality = 80}, text);
    ASSERT_THAT(file, IsOk());
    const auto read = ReadPictureText(file->data);
    ASSERT_THAT(read, IsOk());
    EXPECT_EQ(TextOf(*read, kParametersKey), "fog\nSteps: 4");
    EXPECT_EQ(TextOf(*read, kSoftwareKey), "Genzo");
    const auto xmp = ReadXmp(TextOf(*read, kXmpKey));
    ASSERT_TRUE(xmp.has_value()) << format;
    EXPECT_EQ(xmp->source_type, "trainedAlgorithmicMedia");
    EXPECT_EQ(xmp->creator_tool, "Genzo");
    EXPECT_EQ(xmp->request_json, provenance.request_json);
  }
}

TEST(ProvenanceTest, TellsTheRequestOfOneImageWithoutPictures) {
  const std::string json = ProvenanceOf(Request(), /*seed=*/3).request_json;
  EXPECT_THAT(json, ::testing::HasSubstr("\"seed\":\"3\""));
  EXPECT_THAT(json, ::testing::HasSubstr("imageSha256"));
  EXPECT_THAT(json, ::testing::Not(::testing::HasSubstr("imageCount")));
  EXPECT_THAT(json, ::testing::Not(::testing::HasSubstr("\"image\"")));
}

TEST(ProvenanceTest, WithoutParametersTheRequestIsNotTold) {
  v1::GenerateRequest request = Request();
  request.mutable_output()->set_embed_parameters(false);
  EXPECT_EQ(ProvenanceOf(request, 3).request_json, "");
}

TEST(ProvenanceTest, KeptPixelsMakeAComposite) {
  v1::GenerateRequest request = Request();
  request.mutable_inpainting();
  EXPECT_EQ(ProvenanceOf(request, 3).source_type,
            "compositeWithTrainedAlgorithmicMedia");
}

TEST(ProvenanceTest, WhatIsNoXmpSaysNothing) {
  for (const char* text : {"", "no xml", "<a/>", "<?xpacket begin=\"\"?>"}) {
    EXPECT_FALSE(ReadXmp(text).has_value()) << text;
  }
}

TEST(PictureMetadataTest, BrokenFilesAreErrors) {
  EXPECT_THAT(ReadPictureText("no picture"),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
  const auto file =
      EncodePicture(Scene(40, 24), {.format = v1::IMAGE_FORMAT_JPEG},
                    {{"Software", "Genzo"}});
  EXPECT_THAT(ReadPictureText(file->data.substr(0, 60)),
              StatusIs(absl::StatusCode::kInvalidArgument, ""));
}

}  // namespace
}  // namespace genzo
