#include "worker/media/masked_canvas.h"

#include <random>

#include "tests/testing/matchers.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {
namespace {

constexpr uint8_t kWhite = 255;

Pixels Noise(int width, int height, std::mt19937& random) {
  Pixels pixels = {.width = width, .height = height, .rgb = {}};
  pixels.rgb.resize(size_t{3} * width * height);
  for (char& byte : pixels.rgb) byte = static_cast<char>(random());
  return pixels;
}

Pixels Grey(int width, int height, uint8_t value) {
  return {
      .width = width,
      .height = height,
      .rgb = std::string(size_t{3} * width * height, static_cast<char>(value))};
}

void PaintBox(const Box& box, uint8_t value, Pixels& pixels) {
  for (int y = box.y; y < box.y + box.height; ++y) {
    for (int x = 3 * box.x; x < 3 * (box.x + box.width); ++x) {
      pixels.rgb[size_t{3} * y * pixels.width + x] = static_cast<char>(value);
    }
  }
}

// White in a box of its own.
Pixels BoxMask(int width, int height, const Box& box) {
  Pixels mask = Grey(width, height, 0);
  PaintBox(box, kWhite, mask);
  return mask;
}

struct Comparison {
  int kept = 0;     // bytes that must be the picture's
  int changed = 0;  // of those, that are not
  int painted = 0;  // bytes that must be what was painted, and are not
};

// Of a result whose canvas is `picture`, when all that is painted is black.
Comparison Compare(const MaskedCanvas& canvas, const Pixels& picture,
                   const Pixels& result) {
  Comparison found;
  const uint8_t* alpha = canvas.alpha.const_data_ptr<uint8_t>();
  for (size_t i = 0; i < result.rgb.size(); ++i) {
    const uint8_t weight = alpha[i / 3];
    if (weight == 0) {
      ++found.kept;
      found.changed += result.rgb[i] != picture.rgb[i] ? 1 : 0;
    }
    if (weight == kWhite) found.painted += result.rgb[i] != 0 ? 1 : 0;
  }
  return found;
}

// What is not masked is the picture's own, to the byte, whatever the plan; what
// is masked is what was painted.
TEST(MaskedCanvasTest, KeepsWhatIsNotMaskedToTheByte) {
  std::mt19937 random(1);
  const auto draw = [&](int from, int to) {
    return from + static_cast<int>(random() % (to - from + 1));
  };
  for (int round = 0; round < 200; ++round) {
    const int width = draw(20, 90), height = draw(20, 90);
    const Pixels picture = Noise(width, height, random);
    Box box = {.x = draw(0, width - 12), .y = draw(0, height - 12)};
    box.width = draw(8, width - box.x);
    box.height = draw(8, height - box.y);
    MaskingPlan plan = {.width = width, .height = height};
    plan.blur = draw(0, 2);
    plan.fill_with_surroundings = draw(0, 1) == 1;
    plan.invert =
        draw(0, 3) == 0 && box.width * box.height < width * height / 2;
    if (draw(0, 1) == 1) {
      plan.only_masked = draw(0, 20);
      plan.width = 8 * draw(4, 12);
      plan.height = 8 * draw(4, 12);
    }
    const auto masked =
        PrepareMasked(picture, BoxMask(width, height, box), plan);
    ASSERT_THAT(masked, IsOk()) << "round " << round;
    ASSERT_EQ(masked->picture.sizes(),
              at::IntArrayRef({1, 3, plan.height, plan.width}));
    ASSERT_EQ(masked->mask.sizes(),
              at::IntArrayRef({1, 1, plan.height, plan.width}));
    const Pixels result =
        PastedInto(masked->canvas, Grey(plan.width, plan.height, 0));
    ASSERT_EQ(result.width, width);
    ASSERT_EQ(result.height, height);
    const Comparison found = Compare(masked->canvas, picture, result);
    EXPECT_EQ(found.changed, 0) << "round " << round;
    EXPECT_EQ(found.painted, 0) << "round " << round;
    if (plan.blur == 0 && !plan.invert) {
      EXPECT_EQ(found.kept, 3 * (width * height - box.width * box.height));
    }
  }
}

TEST(MaskedCanvasTest, PaintsBordersAndKeepsThePictureBetweenThem) {
  std::mt19937 random(2);
  const Pixels picture = Noise(40, 24, random);
  const MaskingPlan plan = {.width = 64,
                            .height = 48,
                            .left = 8,
                            .top = 16,
                            .right = 16,
                            .bottom = 8};
  const auto masked = PrepareMasked(picture, Pixels(), plan);
  ASSERT_THAT(masked, IsOk());
  EXPECT_EQ(masked->mask.sum().item<float>(), 64 * 48 - 40 * 24);
  const Pixels result = PastedInto(masked->canvas, Grey(64, 48, 0));
  const Pixels inner =
      Scaled(result, {.x = 8, .y = 16, .width = 40, .height = 24}, 40, 24);
  EXPECT_EQ(inner.rgb, picture.rgb);
  EXPECT_EQ(result.rgb[0], 0);
}

// So that a border begins as the colours beside it.
TEST(MaskedCanvasTest, FillsBordersWithTheColoursAroundThem) {
  const MaskingPlan plan = {.width = 32, .height = 16, .right = 16};
  const auto masked = PrepareMasked(Grey(16, 16, 200), Pixels(), plan);
  ASSERT_THAT(masked, IsOk());
  EXPECT_EQ(masked->canvas.pixels.rgb, Grey(32, 16, 200).rgb);
}

TEST(MaskedCanvasTest, FillsTheMaskedPartWithTheColoursAroundIt) {
  Pixels picture = Grey(32, 32, 200);
  const Box box = {.x = 8, .y = 8, .width = 16, .height = 16};
  PaintBox(box, 0, picture);
  MaskingPlan plan = {.width = 32, .height = 32};
  const Pixels mask = BoxMask(32, 32, box);
  const auto shown = PrepareMasked(picture, mask, plan);
  EXPECT_EQ(shown->picture.min().item<float>(), -1);
  plan.fill_with_surroundings = true;
  const auto filled = PrepareMasked(picture, mask, plan);
  EXPECT_NEAR(filled->picture.min().item<float>(), 200 / 127.5 - 1, 1e-3);
}

TEST(MaskedCanvasTest, EnlargesTheMaskedRegionInTheResultsProportions) {
  std::mt19937 random(3);
  const Box box = {.x = 100, .y = 60, .width = 40, .height = 20};
  const MaskingPlan plan = {.width = 64, .height = 64, .only_masked = 10};
  const auto masked =
      PrepareMasked(Noise(300, 200, random), BoxMask(300, 200, box), plan);
  ASSERT_THAT(masked, IsOk());
  const Box& region = masked->canvas.region;
  EXPECT_EQ(region.width, 60);
  EXPECT_EQ(region.height, 60);
  EXPECT_EQ(region.x, 90);
  EXPECT_EQ(region.y, 40);
  EXPECT_EQ(masked->canvas.inset.width, 64);
}

// A region that the picture has no room to make square keeps its proportions.
TEST(MaskedCanvasTest, DoesNotStretchARegionThatIsAsWideAsThePicture) {
  std::mt19937 random(4);
  const Box box = {.x = 0, .y = 0, .width = 100, .height = 50};
  const MaskingPlan plan = {.width = 64, .height = 64, .only_masked = 0};
  const auto masked =
      PrepareMasked(Noise(100, 50, random), BoxMask(100, 50, box), plan);
  ASSERT_THAT(masked, IsOk());
  EXPECT_EQ(masked->canvas.inset.height, 32);
  EXPECT_EQ(masked->canvas.inset.y, 16);
  EXPECT_EQ(masked->mask.sum().item<float>(), 64 * 32)
      << "nothing is painted outside the inset";
}

TEST(MaskedCanvasTest, CutsTheMaskAtOneHalf) {
  Pixels mask = Grey(16, 16, 127);
  const MaskingPlan plan = {.width = 16, .height = 16};
  EXPECT_THAT(
      PrepareMasked(Grey(16, 16, 0), mask, plan),
      StatusIs(absl::StatusCode::kInvalidArgument, "leaves nothing to paint"));
  mask = Grey(16, 16, 128);
  const auto masked = PrepareMasked(Grey(16, 16, 0), mask, plan);
  ASSERT_THAT(masked, IsOk());
  EXPECT_EQ(masked->mask.min().item<float>(), 1);
}

TEST(MaskedCanvasTest, AnotherPictureIsSeenInTheRegionAsThePictureIs) {
  std::mt19937 random(4);
  const Pixels picture = Noise(90, 70, random);
  const Pixels mask =
      BoxMask(90, 70, {.x = 2, .y = 30, .width = 20, .height = 9});
  MaskingPlan plan = {.width = 64, .height = 32};
  for (const std::optional<int> padding :
       {std::optional(5), std::optional(60)}) {
    plan.only_masked = padding;
    const auto masked = PrepareMasked(picture, mask, plan);
    ASSERT_THAT(masked, IsOk());
    EXPECT_EQ(
        SeenInRegion(masked->canvas, picture, ResizeMode::kCrop, 64, 32).rgb,
        ToPixels(masked->picture).rgb);
  }
}

}  // namespace
}  // namespace genzo
