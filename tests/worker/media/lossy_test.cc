// What JPEG and WebP share is asked of both.

#include "client/picture_reader.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/exif.h"
#include "worker/media/jpeg.h"
#include "worker/media/webp.h"

namespace genzo {
namespace {

struct Codec {
  std::string name;
  absl::StatusOr<std::string> (*encode)(const Pixels&, int quality,
                                        const PictureText&);
  DecodedPicture (*decode)(const std::string&);
};

class LossyTest : public ::testing::TestWithParam<Codec> {
 protected:
  std::string Encode(const Pixels& pixels, int quality,
                     const PictureText& text = {}) {
    const auto file = GetParam().encode(pixels, quality, text);
    EXPECT_THAT(file, IsOk());
    return file.value_or("");
  }
};

TEST_P(LossyTest, ADecoderReadsNearlyTheSamePicture) {
  // Sides that are no multiples of a block.
  const Pixels scene = Scene(131, 75);
  const auto psnr = [&](int quality) {
    return Psnr(GetParam().decode(Encode(scene, quality)).pixels, scene);
  };
  EXPECT_GT(psnr(95), 35);
  EXPECT_GT(psnr(90), 34);
  EXPECT_GT(psnr(80), 32);
  EXPECT_GT(psnr(1), 20);
}

TEST_P(LossyTest, TakesEverySize) {
  for (const auto& [width, height] : {std::pair(1, 1), {1, 9}, {17, 2}}) {
    const Pixels decoded =
        GetParam().decode(Encode(Scene(width, height), 90)).pixels;
    EXPECT_EQ(decoded.width, width);
    EXPECT_EQ(decoded.height, height);
  }
}

TEST_P(LossyTest, MoreQualityMakesLargerFiles) {
  const Pixels scene = Scene(256, 256);
  size_t smaller = 0;
  for (const int quality : {1, 25, 50, 75, 80, 90, 95, 100}) {
    const size_t size = Encode(scene, quality).size();
    EXPECT_GT(size, smaller) << "at quality " << quality;
    smaller = size;
  }
}

TEST_P(LossyTest, KeepsTextAsExif) {
  const PictureText text = {{"parameters", "a \u72d0"}, {"Software", "Genzo"}};
  const auto decoded = GetParam().decode(Encode(Scene(32, 32), 90, text));
  EXPECT_EQ(decoded.exif, ExifOf(text));
  EXPECT_EQ(GetParam().decode(Encode(Scene(32, 32), 90)).exif, "");
}

TEST_P(LossyTest, TextLeavesThePictureAlone) {
  const Pixels scene = Scene(64, 64);
  const auto with = GetParam().decode(Encode(scene, 90, {{"parameters", "x"}}));
  EXPECT_EQ(with.pixels.rgb, GetParam().decode(Encode(scene, 90)).pixels.rgb);
}

TEST_P(LossyTest, HasRoomForTheLongestText) {
  const PictureText text = {{"parameters", std::string(200000, 'x')},
                            {"Software", std::string(9000, 'y')}};
  EXPECT_EQ(GetParam().decode(Encode(Scene(8, 8), 90, text)).exif,
            ExifOf(text));
}

TEST_P(LossyTest, FailsWithAStatus) {
  constexpr auto kInternal = absl::StatusCode::kInternal;
  const auto encode = GetParam().encode;
  EXPECT_THAT(encode(Pixels(), 90, {}), StatusIs(kInternal, "0x0 has 0 bytes"));
  EXPECT_THAT(encode({.width = 2, .height = 2, .rgb = "short"}, 90, {}),
              StatusIs(kInternal, "2x2 has 5 bytes"));
  const Pixels wide = {
      .width = 70000, .height = 1, .rgb = std::string(210000, 'x')};
  EXPECT_THAT(encode(wide, 90, {{"parameters", "x"}}),
              StatusIs(kInternal, "70000x1 could not be written as"));
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, LossyTest,
    ::testing::Values(Codec{"Jpeg", EncodeJpeg, DecodeJpeg},
                      Codec{"Webp", EncodeWebp, DecodeWebp}),
    [](const auto& info) { return info.param.name; });

TEST(JpegTest, FullColorsShow) {
  const Pixels scene = Scene(131, 75);
  EXPECT_GT(Psnr(DecodeJpeg(*EncodeJpeg(scene, 90, {})).pixels, scene), 40);
}

TEST(JpegTest, IsBaselineWithFullColorsFromNinetyOn) {
  const auto decode = [](int quality) {
    return DecodeJpeg(*EncodeJpeg(Scene(64, 64), quality, {}));
  };
  EXPECT_TRUE(decode(90).full_color);
  EXPECT_FALSE(decode(89).full_color);
  EXPECT_TRUE(decode(100).baseline);
  EXPECT_TRUE(decode(1).baseline) << "tables of eight bits";
}

TEST(JpegTest, OutgrowsItsFirstBuffer) {
  Pixels noise{.width = 512, .height = 512, .rgb = ""};
  uint32_t state = 1;
  for (int i = 0; i < 3 * 512 * 512; ++i) {
    state = state * 1664525u + 1013904223u;
    noise.rgb += static_cast<char>(state >> 24);
  }
  const auto file = *EncodeJpeg(noise, 100, {});
  EXPECT_GT(file.size(), size_t{1} << 18);
  EXPECT_EQ(file.substr(file.size() - 2), "\xff\xd9") << "ends with its end";
  EXPECT_GT(Psnr(DecodeJpeg(file).pixels, noise), 30);
}

TEST(JpegTest, TheTerminalsReaderReadsIt) {
  const auto image = ReadPicture(*EncodeJpeg(Scene(40, 30), 80, {}));
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->width, 40);
  EXPECT_EQ(image->height, 30);
}

}  // namespace
}  // namespace genzo
