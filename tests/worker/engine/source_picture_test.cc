#include "worker/engine/source_picture.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/media/picture_decoder.h"
#include "worker/media/pixel_tensors.h"

namespace genzo {
namespace {

// A picture of 21 x 13 at 32 x 32, as each mode makes it that.
class SourcePictureTest : public ::testing::TestWithParam<v1::ResizeMode> {
 protected:
  SourcePictureTest() {
    request_.set_width(32);
    request_.set_height(32);
    request_.mutable_image_to_image()->set_image(picture_);
    request_.mutable_image_to_image()->set_resize_mode(GetParam());
  }
  Pixels Fitted() const {
    return FitToSize(*DecodePicture(picture_, {}), 32, 32,
                     ResizeModeOf(GetParam()));
  }

  const std::string picture_ =
      ReadFile(SourcePath("tests/data/pictures/rgb_png.png"));
  v1::GenerateRequest request_;
};

TEST_P(SourcePictureTest, BecomesTheSizeAsTheRequestSays) {
  const auto source = ReadSourcePicture(request_);
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(ToPixels(source->picture).rgb, Fitted().rgb);
}

TEST_P(SourcePictureTest, SoDoItsMaskAndWhatStaysOfIt) {
  request_.mutable_inpainting()->mutable_mask()->set_data(picture_);
  const auto source = ReadSourcePicture(request_);
  ASSERT_THAT(source, IsOk());
  EXPECT_EQ(source->canvas->pixels.rgb, Fitted().rgb);
  EXPECT_EQ(source->canvas->alpha.sizes(), at::IntArrayRef({32, 32}));
}

INSTANTIATE_TEST_SUITE_P(Modes, SourcePictureTest,
                         ::testing::Values(v1::RESIZE_MODE_UNSPECIFIED,
                                           v1::RESIZE_MODE_CROP,
                                           v1::RESIZE_MODE_STRETCH,
                                           v1::RESIZE_MODE_FILL));

TEST(ResizeModeTest, EachIsItsOwn) {
  EXPECT_EQ(ResizeModeOf(v1::RESIZE_MODE_UNSPECIFIED), ResizeMode::kCrop);
  EXPECT_EQ(ResizeModeOf(v1::RESIZE_MODE_CROP), ResizeMode::kCrop);
  EXPECT_EQ(ResizeModeOf(v1::RESIZE_MODE_STRETCH), ResizeMode::kStretch);
  EXPECT_EQ(ResizeModeOf(v1::RESIZE_MODE_FILL), ResizeMode::kFill);
}

}  // namespace
}  // namespace genzo
