#include "server/jobs/event_parts.h"

#include "base/event_assembler.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

std::shared_ptr<const v1::JobEvent> ImageOf(size_t bytes) {
  auto event = std::make_shared<v1::JobEvent>();
  event->set_job_id("j");
  event->set_sequence(9);
  event->mutable_image()->set_image_index(2);
  event->mutable_image()->set_seed(7);
  event->mutable_image()->set_score(0.5);
  event->mutable_image()->set_safety("nsfw");
  event->mutable_image()->add_approximations("text_gate_step 10");
  event->mutable_image()->set_latents("l");
  v1::Picture& picture = *event->mutable_image()->mutable_picture();
  picture.set_media_type("image/png");
  for (size_t i = 0; i < bytes; ++i) {
    picture.mutable_data()->push_back(static_cast<char>(i * 7919 >> 8));
  }
  picture.set_size_bytes(bytes);
  return event;
}

TEST(EventPartsTest, NothingHasNoPart) {
  EXPECT_EQ(EventParts().Next(), nullptr);
  EXPECT_EQ(EventParts(nullptr).Next(), nullptr);
}

TEST(EventPartsTest, ASmallPictureTravelsInItsEvent) {
  const auto event = ImageOf(kMaxPictureInEvent);
  EventParts parts(event);
  EXPECT_EQ(parts.Next(), event) << "not copied";
  EXPECT_EQ(parts.Next(), nullptr);
}

TEST(EventPartsTest, ALargeOneFollowsInChunksOfItsSequence) {
  EventParts parts(ImageOf(kMaxPictureInEvent + 1));
  const auto head = parts.Next();
  EXPECT_TRUE(head->image().picture().data().empty());
  EXPECT_EQ(head->image().picture().size_bytes(), kMaxPictureInEvent + 1);
  EXPECT_EQ(head->image().seed(), 7u);
  v1::Image whole = ImageOf(kMaxPictureInEvent + 1)->image();
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  whole.GetReflection()->ListFields(whole, &fields);
  EXPECT_EQ(fields.size(), v1::Image::descriptor()->field_count())
      << "ImageOf() fills them all";
  whole.mutable_picture()->clear_data();
  EXPECT_EQ(head->image().SerializeAsString(), whole.SerializeAsString());
  for (size_t i = 0; i < 4; ++i) {
    const auto part = parts.Next();
    ASSERT_NE(part, nullptr);
    EXPECT_EQ(part->sequence(), 9u);
    EXPECT_EQ(part->chunk().offset(), i * kChunkBytes);
    EXPECT_EQ(part->chunk().data().size(), i < 3 ? kChunkBytes : 1);
  }
  EXPECT_EQ(parts.Next(), nullptr);
}

TEST(EventPartsTest, AClientPutsThemTogether) {
  const auto event = ImageOf(5'000'000);
  EventParts parts(event);
  EventAssembler assembler;
  std::optional<v1::JobEvent> whole;
  while (auto part = parts.Next()) {
    EXPECT_FALSE(whole.has_value()) << "complete with the last part only";
    EXPECT_LT(part->ByteSizeLong(), 4u << 20) << "clients' usual limit";
    whole = assembler.Add(*part);
  }
  ASSERT_TRUE(whole.has_value());
  EXPECT_EQ(whole->SerializeAsString(), event->SerializeAsString());
}

TEST(EventPartsTest, AClientTakesNoPictureWithAGap) {
  EventParts parts(ImageOf(5'000'000));
  EventAssembler assembler;
  assembler.Add(*parts.Next());
  parts.Next();  // lost
  while (auto part = parts.Next()) {
    EXPECT_FALSE(assembler.Add(*part).has_value());
  }
}

}  // namespace
}  // namespace genzo
