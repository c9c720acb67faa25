#include "worker/media/provenance.h"

#include <zlib.h>

#include <cstdint>

#include "base/pictures/picture_metadata.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/exif.h"
#include "worker/media/picture_encoder.h"

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

TEST(ProvenanceTest, EachImageOfAVariationHasItsOwnSeed) {
  v1::GenerateRequest request = Request();
  request.mutable_variation()->set_seed(9);
  EXPECT_THAT(ProvenanceOf(request, 3, /*image_index=*/2).request_json,
              ::testing::HasSubstr("\"variation\":{\"seed\":\"11\""));
}

TEST(ProvenanceTest, TellsHowItWasEnlarged) {
  Provenance provenance = ProvenanceOf(Request(), /*seed=*/3);
  EXPECT_TRUE(ReadXmp(XmpOf(provenance))->enlarged_json.empty());
  provenance.enlarged_json = {"{\"upscaler\":\"<a> & b\"}", "{}"};
  const auto read = ReadXmp(XmpOf(provenance));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->enlarged_json, provenance.enlarged_json);
  EXPECT_EQ(read->request_json, provenance.request_json);
  provenance.enlarged_json.resize(2000, provenance.enlarged_json[0]);
  EXPECT_TRUE(ReadXmp(XmpOf(provenance))->enlarged_json.empty())
      << "more than JPEG can hold";
}

// Escaped, a quote is six bytes.
TEST(ProvenanceTest, ALongRequestLeavesRoomInJpeg) {
  v1::GenerateRequest request = Request();
  request.set_prompt(std::string(8000, '"'));
  request.set_negative_prompt(std::string(8000, '&'));
  const PictureText text = {{kXmpKey, XmpOf(ProvenanceOf(request, 3))}};
  const auto file = EncodePicture(
      Scene(8, 8), {.format = v1::IMAGE_FORMAT_JPEG, .quality = 80}, text);
  ASSERT_THAT(file, IsOk());
  const auto read = ReadPictureText(file->data);
  ASSERT_THAT(read, IsOk());
  const auto xmp = ReadXmp(TextOf(*read, kXmpKey));
  ASSERT_TRUE(xmp.has_value());
  EXPECT_EQ(xmp->source_type, "trainedAlgorithmicMedia");
  EXPECT_EQ(xmp->request_json, "");
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

// One can take a third of a second to read.
TEST(PictureTextTest, OfJpegTheFirstExifIsRead) {
  const auto file = EncodePicture(
      Scene(8, 8), {.format = v1::IMAGE_FORMAT_JPEG, .quality = 80}, {});
  ASSERT_THAT(file, IsOk());
  std::string repeated = file->data;
  for (const char* text : {"third", "second", "first"}) {
    const std::string exif =
        std::string("Exif\0\0", 6) + ExifOf({{kParametersKey, text}});
    const size_t size = exif.size() + 2;
    repeated.insert(2, std::string("\xff\xe1") + static_cast<char>(size >> 8) +
                           static_cast<char>(size & 0xff) + exif);
  }
  const auto read = ReadPictureText(repeated);
  ASSERT_THAT(read, IsOk());
  EXPECT_EQ(*read, (PictureText{{kParametersKey, "first"}}));
}

std::string BigEndian(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(number >> shift);
  }
  return bytes;
}

// A packed text of that many bytes, as PNG has it.
std::string PackedText(size_t size) {
  const std::string text(size, 'x');
  std::string packed(compressBound(size), '\0');
  uLongf packed_size = packed.size();
  EXPECT_EQ(compress(reinterpret_cast<Bytef*>(packed.data()), &packed_size,
                     reinterpret_cast<const Bytef*>(text.data()), text.size()),
            Z_OK);
  const std::string body =
      std::string("zTXtkey\0\0", 9) + packed.substr(0, packed_size);
  const uLong sum =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return BigEndian(body.size() - 4) + body + BigEndian(sum);
}

// Of a PNG with such a text `times` in it.
size_t TextBytesRead(size_t size, int times) {
  constexpr size_t kBehindHeader = 33;
  auto file = EncodePicture(Scene(8, 8), {.format = v1::IMAGE_FORMAT_PNG}, {});
  const std::string chunk = PackedText(size);
  for (int i = 0; i < times; ++i) file->data.insert(kBehindHeader, chunk);
  const auto read = ReadPictureText(file->data);
  EXPECT_THAT(read, IsOk());
  size_t bytes = 0;
  for (const auto& [key, value] : *read) bytes += value.size();
  return bytes;
}

TEST(PictureTextTest, OfPngManyTextsAndLongOnesAreRead) {
  EXPECT_EQ(TextBytesRead(5, 256), 5u * 256);
  EXPECT_EQ(TextBytesRead(5, 300), 5u * 256);
  EXPECT_EQ(TextBytesRead(7 << 20, 1), size_t{7} << 20);
  EXPECT_LT(TextBytesRead(7 << 20, 40), size_t{64} << 20)
      << "a small file does not fill the memory";
}

}  // namespace
}  // namespace genzo
