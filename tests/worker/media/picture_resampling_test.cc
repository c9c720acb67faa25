#include "worker/media/picture_resampling.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

// A picture whose red is `values`, green 0 and blue 255.
Pixels RowOf(const std::vector<int>& values) {
  Pixels row{.width = static_cast<int>(values.size()), .height = 1, .rgb = {}};
  for (const int value : values) {
    row.rgb += {static_cast<char>(value), '\0', '\xff'};
  }
  return row;
}

std::vector<int> RedOf(const Pixels& pixels) {
  std::vector<int> red;
  for (size_t i = 0; i < pixels.rgb.size(); i += 3) {
    red.push_back(static_cast<unsigned char>(pixels.rgb[i]));
    EXPECT_EQ(pixels.rgb[i + 1], '\0');
    EXPECT_EQ(pixels.rgb[i + 2], '\xff');
  }
  return red;
}

ResamplingPlan ToWidth(ResamplingFilter filter, int width) {
  return {.filter = filter,
          .scaled_width = width,
          .scaled_height = 1,
          .width = width,
          .height = 1};
}

// The other numbers are those of PIL 13.0.
TEST(ResampleTest, WidensTheFilterWhereThePictureShrinks) {
  const Pixels row = RowOf({0, 10, 200, 255, 30, 60, 90, 120});
  EXPECT_THAT(RedOf(Resample(row, ToWidth(ResamplingFilter::kBilinear, 4))),
              ::testing::ElementsAre(33, 176, 77, 99));
  EXPECT_THAT(RedOf(Resample(row, ToWidth(ResamplingFilter::kBicubic, 4))),
              ::testing::ElementsAre(19, 196, 66, 100));
  EXPECT_THAT(RedOf(Resample(row, ToWidth(ResamplingFilter::kLanczos, 3))),
              ::testing::ElementsAre(76, 143, 74));
}

TEST(ResampleTest, OvershootsAreCutOff) {
  EXPECT_THAT(RedOf(Resample(RowOf({0, 0, 255, 255}),
                             ToWidth(ResamplingFilter::kBicubic, 8))),
              ::testing::ElementsAre(0, 0, 0, 52, 203, 255, 255, 255));
}

TEST(ResampleTest, APartIsWhatTheWholeHasThere) {
  Pixels picture{.width = 7, .height = 5, .rgb = {}};
  for (int i = 0; i < 7 * 5 * 3; ++i) {
    picture.rgb += static_cast<char>(i * 53 % 256);
  }
  ResamplingPlan plan{
      .scaled_width = 9, .scaled_height = 4, .width = 9, .height = 4};
  const Pixels whole = Resample(picture, plan);
  plan.left = 3, plan.top = 1, plan.width = 4, plan.height = 2;
  const Pixels part = Resample(picture, plan);
  std::string expected;
  for (int y = 1; y < 3; ++y) expected += whole.rgb.substr(3 * (9 * y + 3), 12);
  EXPECT_EQ(part.rgb, expected);
}

TEST(ResampleTest, CostsWhatIsWantedHoweverLongTheScaledPicture) {
  const Pixels thin{
      .width = 1 << 20, .height = 1, .rgb = std::string(3 << 20, '\x07')};
  const Pixels part = Resample(thin, {.scaled_width = int64_t{224} << 20,
                                      .scaled_height = 224,
                                      .left = int64_t{112} << 20,
                                      .width = 224,
                                      .height = 224});
  EXPECT_EQ(part.rgb, std::string(3 * 224 * 224, '\x07'));
}

}  // namespace
}  // namespace genzo
