#include "worker/media/fitting.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"
#include "tests/worker/media/picture_decoders.h"

namespace genzo {
namespace {

TEST(FitToSizeTest, EqualsPillow) {
  for (const auto& [width, height] :
       {std::pair(24, 24), {40, 24}, {150, 100}, {20, 70}}) {
    EXPECT_EQ(FitToSize(ReadPpm("large"), width, height, ResizeMode::kCrop).rgb,
              ReadPpm(absl::StrCat("fitted_", width, "x", height)).rgb)
        << width << "x" << height;
  }
}

TEST(FitToSizeTest, LeavesAPictureOfThatSizeAlone) {
  const Pixels scene = Scene(40, 30);
  EXPECT_EQ(FitToSize(scene, 40, 30, ResizeMode::kCrop).rgb, scene.rgb);
}

TEST(FitToSizeTest, CutsBothEndsEvenly) {
  // Black, then white in the middle third, then black.
  Pixels pixels{.width = 90, .height = 30, .rgb = ""};
  for (int i = 0; i < 90 * 30; ++i) {
    const int x = i % 90;
    pixels.rgb += std::string(3, x >= 30 && x < 60 ? '\xff' : '\0');
  }
  EXPECT_EQ(FitToSize(pixels, 10, 10, ResizeMode::kCrop).rgb,
            std::string(300, '\xff'));
}

TEST(FitToSizeTest, TakesLongThinPictures) {
  const Pixels line = Scene(100000, 1);
  const Pixels fitted = FitToSize(line, 64, 64, ResizeMode::kCrop);
  EXPECT_THAT(CheckPixels(fitted), IsOk());
  EXPECT_EQ(fitted.width, 64);
  EXPECT_EQ(FitToSize(Scene(1, 100000), 8, 16, ResizeMode::kCrop).height, 16);
}

TEST(FitToSizeTest, StretchesAllOfIt) {
  const Pixels scene = Scene(90, 30);
  const Pixels stretched = FitToSize(scene, 32, 48, ResizeMode::kStretch);
  EXPECT_EQ(stretched.rgb, Scaled(scene, {0, 0, 90, 30}, 32, 48).rgb);
  EXPECT_EQ(stretched.width, 32);
  EXPECT_EQ(stretched.height, 48);
}

// As diffusers' VaeImageProcessor with resize_mode "fill".
TEST(FitToSizeTest, FillsTheSidesWithWhatIsAtTheEdges) {
  const Pixels scene = Scene(90, 30);
  const Pixels filled = FitToSize(scene, 64, 64, ResizeMode::kFill);
  const Pixels inner = Scaled(scene, {0, 0, 90, 30}, 64, 21);
  const auto row = [](const Pixels& pixels, int y) {
    return pixels.rgb.substr(size_t{3} * pixels.width * y,
                             size_t{3} * pixels.width);
  };
  const int top = 64 / 2 - 21 / 2;
  for (int y = 0; y < 64; ++y) {
    EXPECT_EQ(row(filled, y), row(inner, std::clamp(y - top, 0, 20))) << y;
  }
}

TEST(FitToSizeTest, FillsTheSidesOfTallPictures) {
  const Pixels filled = FitToSize(Scene(10, 40), 40, 40, ResizeMode::kFill);
  const auto pixel = [&](int x, int y) {
    return filled.rgb.substr(size_t{3} * (y * 40 + x), 3);
  };
  const Pixels scene = Scene(10, 40);
  for (int y = 0; y < 40; ++y) {
    EXPECT_EQ(pixel(0, y), scene.rgb.substr(size_t{3} * (y * 10), 3));
    EXPECT_EQ(pixel(39, y), scene.rgb.substr(size_t{3} * (y * 10 + 9), 3));
  }
}

}  // namespace
}  // namespace genzo
