#include "base/request_pictures.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

TEST(RequestPicturesTest, NoBytesOfAnyPictureStay) {
  const std::string bytes = "the bytes of a picture";
  v1::GenerateRequest request;
  request.mutable_image_to_image()->set_image(bytes);
  request.mutable_inpainting()->mutable_mask()->set_data(bytes);
  request.add_controls()->mutable_picture()->set_data(bytes);
  request.add_controls()->mutable_picture()->set_data(bytes);
  request.add_image_prompts()->add_pictures()->set_data(bytes);
  request.mutable_image_prompts(0)->add_pictures()->set_data(bytes);
  ClearPictures(request);
  EXPECT_EQ(request.SerializeAsString().find(bytes), std::string::npos);
}

TEST(RequestPicturesTest, DigestsAndSizesStandForThem) {
  v1::GenerateRequest request;
  request.mutable_image_to_image()->set_image_sha256("start");
  request.mutable_inpainting()->mutable_mask()->set_sha256("mask");
  request.add_controls()->mutable_picture()->set_bytes(7);
  request.add_image_prompts()->add_pictures()->set_sha256("prompt");
  const v1::GenerateRequest before = request;
  ClearPictures(request);
  EXPECT_EQ(request.SerializeAsString(), before.SerializeAsString());
}

TEST(RequestPicturesTest, ARequestWithoutPicturesStaysAsItIs) {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  ClearPictures(request);
  EXPECT_FALSE(request.has_image_to_image());
  EXPECT_FALSE(request.has_inpainting()) << "to clear it must not make it";
}

}  // namespace
}  // namespace genzo
