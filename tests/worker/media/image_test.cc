#include "ATen/ops/full.h"
#include "ATen/ops/tensor.h"
#include "client/picture_reader.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/pixel_tensors.h"
#include "worker/media/png.h"
#include "zlib.h"

namespace genzo {
namespace {

TEST(PixelsTest, ClampsAndRoundsHalfToEven) {
  // Values whose 255-fold is 0.5, 1.5, below 0 and above 255.
  const at::Tensor decoded =
      at::tensor({2 * (0.5 / 255) - 1, 2 * (1.5 / 255) - 1, -3.0, 3.0})
          .view({1, 1, 1, 4})
          .expand({1, 3, 1, 4});
  const Pixels pixels = ToPixels(decoded.to(at::kDouble));
  EXPECT_EQ(pixels.width, 4);
  EXPECT_EQ(pixels.height, 1);
  EXPECT_EQ(static_cast<unsigned char>(pixels.rgb[6]), 0);
  EXPECT_EQ(static_cast<unsigned char>(pixels.rgb[9]), 255);
}

TEST(PixelsTest, ShrinksOnlyWhatIsLarger) {
  const at::Tensor decoded = at::full({1, 3, 64, 32}, 0.5f);
  EXPECT_EQ(ShrinkToSide(decoded, 0).size(2), 64);
  EXPECT_EQ(ShrinkToSide(decoded, 100).size(2), 64);
  const at::Tensor small = ShrinkToSide(decoded, 16);
  EXPECT_EQ(small.size(2), 16);
  EXPECT_EQ(small.size(3), 8);
  EXPECT_NEAR(small.mean().item<float>(), 0.5f, 1e-6);
}

Pixels Gradient() {
  Pixels pixels{.width = 5, .height = 3, .rgb = ""};
  for (int i = 0; i < 5 * 3 * 3; ++i) pixels.rgb += static_cast<char>(i * 5);
  return pixels;
}

TEST(PngTest, ADecoderReadsItBack) {
  const auto file = EncodePng(Gradient(), {{"parameters", "a \u72d0"}});
  ASSERT_THAT(file, IsOk());
  const auto image = ReadPicture(*file);
  ASSERT_THAT(image, IsOk());
  EXPECT_EQ(image->width, 5);
  EXPECT_EQ(image->rgb, Gradient().rgb);
}

TEST(PngTest, ChunksHaveLengthsAndChecksums) {
  const auto file =
      *EncodePng(Gradient(), {{"parameters", "a \u72d0"}, {"Software", "x"}});
  const auto number = [&](size_t place) {
    uint32_t value = 0;
    for (int i = 0; i < 4; ++i) {
      value = value << 8 | static_cast<unsigned char>(file[place + i]);
    }
    return value;
  };
  std::vector<std::string> names;
  for (size_t place = 8; place < file.size();) {
    const uint32_t length = number(place);
    const std::string body = file.substr(place + 4, length + 4);
    names.push_back(body.substr(0, 4));
    EXPECT_EQ(number(place + 8 + length),
              crc32(0, reinterpret_cast<const Bytef*>(body.data()),
                    static_cast<uInt>(body.size())));
    if (names.size() == 2) {
      EXPECT_NE(body.find(std::string("parameters\0\0\0\0\0a \u72d0", 19)),
                std::string::npos);
    }
    place += 12 + length;
  }
  EXPECT_THAT(names,
              ::testing::ElementsAre("IHDR", "iTXt", "iTXt", "IDAT", "IEND"));
}

TEST(PngTest, FailsWithAStatus) {
  constexpr auto kInternal = absl::StatusCode::kInternal;
  EXPECT_THAT(EncodePng(Pixels(), {}), StatusIs(kInternal, "0x0 has 0 bytes"));
  EXPECT_THAT(EncodePng(Gradient(), {{"", "a text without a key"}}),
              StatusIs(kInternal, "5x3 could not be written as PNG: "));
}

TEST(PngTest, ManyChunksMakeOnePicture) {
  const Pixels scene = Scene(700, 500);
  const std::string file = *EncodePng(scene, {});
  EXPECT_NE(file.find("IDAT"), file.rfind("IDAT"));
  EXPECT_EQ(ReadPicture(file)->rgb, scene.rgb);
}

TEST(PngTest, StaysFarBelowTheSizeOfThePixels) {
  const Pixels flat = {
      .width = 512, .height = 512, .rgb = std::string(3 * 512 * 512, 'x')};
  EXPECT_LT(EncodePng(flat, {})->size(), flat.rgb.size() / 100);
  const Pixels scene = Scene(512, 512);
  EXPECT_LT(EncodePng(scene, {})->size(), scene.rgb.size() / 3);
}

TEST(PictureReaderTest, RefusesGarbage) {
  EXPECT_FALSE(ReadPicture("").ok());
  EXPECT_FALSE(ReadPicture("garbage").ok());
  std::string cut = *EncodePng(Gradient(), {});
  cut.resize(cut.size() / 2);
  EXPECT_FALSE(ReadPicture(cut).ok());
}

}  // namespace
}  // namespace genzo
