#include "base/event_assembler.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

// An image of `size` bytes, of which `data` have come.
v1::JobEvent Image(const std::string& data, uint64_t size) {
  v1::JobEvent event;
  event.mutable_image()->mutable_picture()->set_data(data);
  event.mutable_image()->mutable_picture()->set_size_bytes(size);
  return event;
}

v1::JobEvent Piece(uint64_t offset, const std::string& data) {
  v1::JobEvent event;
  event.mutable_chunk()->set_offset(offset);
  event.mutable_chunk()->set_data(data);
  return event;
}

TEST(EventAssemblerTest, EventsWithoutPicturesPassAtOnce) {
  EventAssembler assembler;
  v1::JobEvent event;
  event.mutable_progress()->set_step(3);
  const auto out = assembler.Add(event);
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->progress().step(), 3u);
}

TEST(EventAssemblerTest, AWholePicturePassesAtOnce) {
  EventAssembler assembler;
  EXPECT_EQ(assembler.Add(Image("abc", 3))->image().picture().data(), "abc");
}

TEST(EventAssemblerTest, APictureComesWithItsLastPiece) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 5)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "abc")).has_value());
  const auto out = assembler.Add(Piece(3, "de"));
  ASSERT_TRUE(out.has_value());
  EXPECT_EQ(out->image().picture().data(), "abcde");
}

TEST(EventAssemblerTest, PreviewsComeInPiecesToo) {
  EventAssembler assembler;
  v1::JobEvent preview;
  preview.mutable_preview()->mutable_picture()->set_size_bytes(2);
  EXPECT_FALSE(assembler.Add(preview).has_value());
  EXPECT_EQ(assembler.Add(Piece(0, "xy"))->preview().picture().data(), "xy");
}

TEST(EventAssemblerTest, APieceThatIsMissingLosesThePicture) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 6)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "ab")).has_value());
  EXPECT_FALSE(assembler.Add(Piece(4, "ef")).has_value());
  EXPECT_FALSE(assembler.Add(Piece(2, "cd")).has_value()) << "too late";
}

TEST(EventAssemblerTest, APieceThatComesTwiceLosesThePicture) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 4)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "ab")).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "ab")).has_value());
  EXPECT_FALSE(assembler.Add(Piece(2, "cd")).has_value());
}

TEST(EventAssemblerTest, ANewEventEndsAPictureThatIsOpen) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 4)).has_value());
  EXPECT_TRUE(assembler.Add(Image("z", 1)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "abcd")).has_value());
}

TEST(EventAssemblerTest, APieceOfNothingIsDropped) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Piece(0, "ab")).has_value());
}

TEST(EventAssemblerTest, APictureThatIsLostDoesNotLoseTheNext) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 4)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(9, "x")).has_value());
  EXPECT_FALSE(assembler.Add(Image("", 2)).has_value());
  EXPECT_EQ(assembler.Add(Piece(0, "ok"))->image().picture().data(), "ok");
}

// More bytes than were told are no picture: whoever reads it would get another
// than the one that was sent.
TEST(EventAssemblerTest, PiecesThatAreTooLongLoseThePicture) {
  EventAssembler assembler;
  EXPECT_FALSE(assembler.Add(Image("", 3)).has_value());
  EXPECT_FALSE(assembler.Add(Piece(0, "abcd")).has_value());
}

}  // namespace
}  // namespace genzo
