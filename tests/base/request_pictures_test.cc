#include "base/request_pictures.h"

#include <string>

#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Sets every field, also those that will be added: `bytes` to a file's.
void Fill(Message& message, const std::string& bytes) {
  const auto& writer = *message.GetReflection();
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor* field = type.field(i);
    const int times = field->is_repeated() ? 2 : 1;
    for (int time = 0; time < times; ++time) {
      if (field->message_type() != nullptr) {
        Fill(field->is_repeated() ? *writer.AddMessage(&message, field)
                                  : *writer.MutableMessage(&message, field),
             bytes);
      } else if (field->type() == FieldDescriptor::TYPE_BYTES) {
        writer.SetString(&message, field, bytes);
      }
    }
  }
}

TEST(RequestPicturesTest, WithoutThemIsAsIfTheyWereTakenOut) {
  v1::GenerateRequest request;
  Fill(request, "the bytes of a picture");
  request.set_prompt("a fox");
  request.set_seed(0);
  request.set_steps(7);
  request.set_guidance_scale(2.5);
  request.set_priority(v1::PRIORITY_HIGH);
  request.mutable_loras(0)->set_weight(0.5);
  request.mutable_controls(1)->set_guess_mode(true);
  const v1::GenerateRequest slim = WithoutPictures(request);
  EXPECT_EQ(request.inpainting().mask().data(), "the bytes of a picture");
  ClearPictures(request);
  EXPECT_EQ(slim.DebugString(), request.DebugString());
  EXPECT_TRUE(slim.has_seed());
  EXPECT_EQ(WithoutPictures({}).DebugString(), "") << "it makes nothing";
}

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
