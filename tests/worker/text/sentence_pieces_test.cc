#include "worker/text/sentence_pieces.h"

#include <limits>

#include "genzo/internal/v1/sentence_piece_model.pb.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using Model = internal::v1::SentencePieceModel;

constexpr char kSpace[] = "\xE2\x96\x81";

class SentencePiecesTest : public ::testing::Test {
 protected:
  SentencePiecesTest() {
    Add("<unk>", 0, 2);
    Add("</s>", 0, 3);
    Add(std::string(kSpace) + "a", -2);  // 2
    Add("b", -2);                        // 3
    Add("ab", -3);                       // 4
    Add(kSpace, -1.5);                   // 5
  }

  void Add(const std::string& text, float score, int type = 1) {
    Model::Piece& piece = *model_.add_pieces();
    piece.set_piece(text);
    piece.set_score(score);
    piece.set_type(type);
  }
  absl::StatusOr<SentencePieces> Parse() const {
    return SentencePieces::Parse(model_.SerializeAsString());
  }
  std::vector<int64_t> Encode(const std::string& text) const {
    std::vector<int64_t> ids;
    Parse()->Encode(text, ids);
    return ids;
  }

  Model model_;
};

TEST_F(SentencePiecesTest, TakesTheLikeliestPieces) {
  EXPECT_THAT(Encode("ab"), ElementsAre(2, 3)) << "-4 beats -4.5";
  model_.mutable_pieces(4)->set_score(-2);
  EXPECT_THAT(Encode("ab"), ElementsAre(5, 4)) << "-3.5 beats -4";
}

TEST_F(SentencePiecesTest, WhatNoPieceCoversIsOneUnknown) {
  EXPECT_THAT(Encode("axyzb"), ElementsAre(2, 0, 3));
  EXPECT_THAT(Encode("\xF0\x9F\x90\x99\xC3\xA9"), ElementsAre(5, 0));
}

TEST_F(SentencePiecesTest, SpacesAreCollapsedAndCutOff) {
  EXPECT_THAT(Encode("  a   b "), ElementsAre(2, 5, 3));
  EXPECT_THAT(Encode("   "), ElementsAre());
  EXPECT_THAT(Encode(""), ElementsAre());
  model_.mutable_normalizer_spec()->set_add_dummy_prefix(false);
  EXPECT_THAT(Encode("ab"), ElementsAre(4));
}

TEST_F(SentencePiecesTest, BytesThatAreNotUtf8AreReplaced) {
  Add("\xEF\xBF\xBD", -1);  // 6
  for (const char* bad : {"\xFF", "\xC3", "\xC0\x80", "\xED\xA0\x80"}) {
    const auto ids = Encode(std::string("b") + bad);
    EXPECT_EQ(ids[0], 5);
    EXPECT_EQ(ids[1], 3);
    for (size_t i = 2; i < ids.size(); ++i) EXPECT_EQ(ids[i], 6) << bad;
  }
}

TEST_F(SentencePiecesTest, NamesWhatIsNoModel) {
  EXPECT_THAT(SentencePieces::Parse("no model"),
              StatusIs(absl::StatusCode::kInvalidArgument, "SentencePiece"));
  EXPECT_THAT(SentencePieces::Parse(""),
              StatusIs(absl::StatusCode::kInvalidArgument, "SentencePiece"));
  model_.mutable_trainer_spec()->set_model_type(2);
  EXPECT_THAT(Parse(), StatusIs(absl::StatusCode::kUnimplemented, "unigram"));
  model_.clear_trainer_spec();
  model_.mutable_pieces(3)->set_score(std::numeric_limits<float>::quiet_NaN());
  EXPECT_THAT(Parse(), StatusIs(absl::StatusCode::kInvalidArgument, "piece 3"));
}

TEST(CharacterMapTest, BrokenMapsAreRefusedOrHarmless) {
  for (const size_t bytes : {1, 4, 5, 12}) {
    EXPECT_THAT(CharacterMap::Parse(std::string(bytes, '\x7F')),
                StatusIs(absl::StatusCode::kInvalidArgument, "broken"));
  }
  // Every unit leads far out of the trie.
  std::string wild = {'\x08', '\0', '\0', '\0'};
  wild += std::string(8, '\xFF') + std::string(1, '\0');
  const auto map = CharacterMap::Parse(wild);
  ASSERT_THAT(map, IsOk());
  std::string_view text = "abc";
  while (!text.empty()) EXPECT_EQ(map->Next(text).size(), 1u);
}

// Composed letters, ligatures and widths of the file that T5 has.
TEST(CharacterMapTest, ReplacesWhatTheModelSays) {
  Model model;
  ASSERT_TRUE(model.ParseFromString(
      ReadFile(SourcePath("tests/data/reference/models/flux-dev/tokenizer_2/"
                          "spiece.model"))));
  const auto map =
      CharacterMap::Parse(model.normalizer_spec().precompiled_charsmap());
  ASSERT_THAT(map, IsOk());
  std::string normal;
  for (std::string_view text =
           "e\xCC\x81\xEF\xAC\x81\xEF\xBC\xA1\xC2\xBD\t\xE2\x80\x8B";
       !text.empty();) {
    normal += map->Next(text);
  }
  EXPECT_EQ(normal,
            "\xC3\xA9"
            "fiA1\xE2\x81\x84"
            "2  ");
}

}  // namespace
}  // namespace genzo
