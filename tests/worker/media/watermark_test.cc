#include "worker/media/watermark.h"

#include <algorithm>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/media/picture_decoders.h"
#include "worker/media/jpeg.h"
#include "worker/media/picture_decoder.h"

namespace genzo {
namespace {

Pixels Cut(const Pixels& pixels, int left, int top, int side) {
  Pixels cut{.width = side, .height = side, .rgb = {}};
  for (int y = top; y < top + side; ++y) {
    cut.rgb += pixels.rgb.substr(size_t{3} * (y * pixels.width + left),
                                 size_t{3} * side);
  }
  return cut;
}

// Pictures of Emaki's size, from a sheet of what it drew.
std::vector<Pixels> Drawn() {
  const auto sheet =
      DecodePicture(ReadFile(SourcePath("docs/images/emaki.jpg")), {});
  EXPECT_THAT(sheet, IsOk());
  std::vector<Pixels> pictures;
  for (int y = 0; y + 128 <= sheet->height; y += 333) {
    for (int x = 0; x + 128 <= sheet->width; x += 177) {
      pictures.push_back(Cut(*sheet, x, y, 128));
    }
  }
  return pictures;
}

Pixels ThroughJpeg(const Pixels& pixels, int quality) {
  return *DecodePicture(*EncodeJpeg(pixels, quality, {}), {});
}

TEST(WatermarkTest, IsFoundAfterJpegAndACrop) {
  for (const Pixels& picture : Drawn()) {
    EXPECT_LT(FindWatermark(picture), kWatermarkFound - 1);
    Pixels marked = picture;
    AddWatermark(marked);
    EXPECT_GT(Psnr(marked, picture), 39);
    const Pixels compressed = ThroughJpeg(marked, 80);
    EXPECT_GT(FindWatermark(compressed), kWatermarkFound + 2);
    // A quarter of a small picture is gone, and nothing begins where it began.
    EXPECT_GT(FindWatermark(Cut(compressed, 9, 7, 112)), kWatermarkFound);
    EXPECT_GT(FindWatermark(Cut(compressed, 21, 30, 80)), kWatermarkFound);
  }
}

TEST(WatermarkTest, IsPutIntoWhatWasPaintedAlone) {
  const Pixels picture = Drawn()[0];
  std::vector<uint8_t> shares(128 * 128, 255);
  std::fill_n(shares.begin(), 40 * 128, 0);  // the upper rows
  Pixels marked = picture;
  AddWatermark(marked, shares);
  const size_t kept = size_t{3} * 40 * 128;
  EXPECT_EQ(marked.rgb.substr(0, kept), picture.rgb.substr(0, kept));
  EXPECT_GT(FindWatermark(marked), kWatermarkFound);
}

TEST(WatermarkTest, SmallAndFlatPicturesHaveNone) {
  EXPECT_EQ(FindWatermark(
                {.width = 8, .height = 8, .rgb = std::string(8 * 8 * 3, 'x')}),
            0);
  EXPECT_EQ(
      FindWatermark(
          {.width = 64, .height = 64, .rgb = std::string(64 * 64 * 3, 'x')}),
      0);
}

TEST(WatermarkTest, IsFoundInAFlatPicture) {
  Pixels flat{
      .width = 256, .height = 128, .rgb = std::string(256 * 128 * 3, '\x80')};
  AddWatermark(flat);
  EXPECT_GT(FindWatermark(ThroughJpeg(flat, 80)), kWatermarkFound);
}

}  // namespace
}  // namespace genzo
