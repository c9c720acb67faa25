#include "worker/media/picture_encoder.h"

#include <thread>

#include "base/pictures/picture_probe.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"

namespace genzo {
namespace {

absl::StatusOr<EncodedPicture> Encode(v1::ImageFormat format, int quality) {
  return EncodePicture(Scene(16, 16), {.format = format, .quality = quality},
                       /*text=*/{});
}

TEST(PictureEncoderTest, TellsTheMediaType) {
  const auto expect = [](v1::ImageFormat format, const std::string& media_type,
                         const std::string& mark) {
    const auto picture = Encode(format, 90);
    ASSERT_THAT(picture, IsOk());
    EXPECT_EQ(picture->media_type, media_type);
    EXPECT_THAT(picture->data, ::testing::StartsWith(mark));
  };
  expect(v1::IMAGE_FORMAT_UNSPECIFIED, "image/png", "\x89PNG");
  expect(v1::IMAGE_FORMAT_PNG, "image/png", "\x89PNG");
  expect(v1::IMAGE_FORMAT_JPEG, "image/jpeg", "\xff\xd8\xff");
  expect(v1::IMAGE_FORMAT_WEBP, "image/webp", "RIFF");
}

TEST(PictureEncoderTest, RefusesBadQualityWhereItMatters) {
  for (const auto format : {v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    for (const int quality : {-1, 0, 101}) {
      EXPECT_THAT(Encode(format, quality),
                  StatusIs(kInvalid, "is not between 1 and 100"));
    }
    EXPECT_THAT(Encode(format, 1), IsOk());
    EXPECT_THAT(Encode(format, 100), IsOk());
  }
  EXPECT_THAT(Encode(v1::IMAGE_FORMAT_PNG, 0), IsOk());
}

TEST(PictureEncoderTest, ManyThreadsWriteWhatOneWrites) {
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    const std::string expected = Encode(format, 90)->data;
    std::vector<std::string> files(4);
    std::vector<std::thread> threads;
    for (std::string& file : files) {
      threads.emplace_back([&] { file = Encode(format, 90)->data; });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_THAT(files, ::testing::Each(expected));
  }
}

TEST(PictureEncoderTest, EveryFormatIsReadBackWithItsSize) {
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    const auto header = ProbePicture(Encode(format, 90)->data);
    ASSERT_THAT(header, IsOk());
    EXPECT_EQ(header->width, 16);
  }
}

TEST(PictureEncoderTest, RefusesUnknownFormats) {
  EXPECT_THAT(Encode(static_cast<v1::ImageFormat>(9), 90),
              StatusIs(kInvalid, "format 9 is unknown"));
}

}  // namespace
}  // namespace genzo
