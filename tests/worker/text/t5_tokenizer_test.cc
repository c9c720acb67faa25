#include "worker/text/t5_tokenizer.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/single_file/builtin_documents.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int64_t>;

std::string Folder() {
  return SourcePath("tests/data/reference/models/flux-dev/tokenizer_2");
}

class T5TokenizerTest : public ::testing::Test {
 protected:
  const T5Tokenizer tokenizer_ = *T5Tokenizer::Read(Folder());
};

TEST_F(T5TokenizerTest, AnEmptyTextIsItsEnd) {
  EXPECT_THAT(tokenizer_.Encode(""), ElementsAre(1));
  EXPECT_THAT(tokenizer_.Encode("  \t "), ElementsAre(1));
}

TEST_F(T5TokenizerTest, SpecialTokensInATextBecomeTheirIds) {
  EXPECT_EQ(tokenizer_.id_end(), 570);
  EXPECT_THAT(tokenizer_.Encode("<pad></s><unk><extra_id_0><extra_id_99>"),
              ElementsAre(0, 1, 2, 569, 470, 1));
}

TEST_F(T5TokenizerTest, WhatStandsBetweenThemIsATextOfItsOwn) {
  Ids apart;
  for (const char* text : {"hello", "world"}) {
    const Ids ids = tokenizer_.Encode(text);
    apart.insert(apart.end(), ids.begin(), ids.end() - 1);
    apart.push_back(569);
  }
  apart.push_back(1);
  EXPECT_EQ(tokenizer_.Encode("hello<extra_id_0>world<extra_id_0>"), apart);
}

TEST_F(T5TokenizerTest, WhatOnlyBeginsLikeOneIsText) {
  for (const char* text : {"<extra_id_100>", "<extra_id_", "<", "a < b > c"}) {
    for (const int64_t id : tokenizer_.Encode(text)) EXPECT_LT(id, 470) << text;
  }
}

TEST_F(T5TokenizerTest, LongTextLosesItsEndButNotItsEndToken) {
  const Ids whole = tokenizer_.Encode("hello world");
  ASSERT_EQ(whole.size(), 9u);
  const Ids cut = tokenizer_.EncodePadded("hello world", 4);
  EXPECT_EQ(cut, Ids({whole[0], whole[1], whole[2], 1}));
  Ids padded = whole;
  padded.resize(12, 0);
  EXPECT_EQ(tokenizer_.EncodePadded("hello world", 12), padded);
}

TEST(T5TokenizerFilesTest, NamesWhatCannotBeRead) {
  const TestFolder folder;
  EXPECT_THAT(T5Tokenizer::Read(folder.path()),
              StatusIs(absl::StatusCode::kNotFound, "spiece.model"));
  folder.Write("spiece.model", "no model");
  EXPECT_THAT(T5Tokenizer::Read(folder.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, "spiece.model"));
  folder.Write("spiece.model", ReadFile(Folder() + "/spiece.model"));
  EXPECT_THAT(T5Tokenizer::Read(folder.path()), IsOk());
  folder.Write("tokenizer_config.json", R"({"extra_ids":-1})");
  EXPECT_THAT(T5Tokenizer::Read(folder.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, "extra_ids -1"));
}

// T5's own vocabulary, which is in the program as tokenizer.json. Ids come from
// transformers 5.23.
TEST(T5TokenizerFilesTest, TheBuiltInVocabularyIsThatOfT5) {
  const auto t5 = T5Tokenizer::Read(
      ComponentFiles("t5", TokenizerTexts({{"class", "T5TokenizerFast"}}),
                     /*tensors=*/nullptr, /*folder=*/""));
  ASSERT_THAT(t5, IsOk());
  EXPECT_EQ(t5->id_end(), 32100);
  EXPECT_THAT(
      t5->Encode("translate English to German: The house is wonderful."),
      ElementsAre(13959, 1566, 12, 2968, 10, 37, 629, 19, 1627, 5, 1));
  EXPECT_THAT(
      t5->Encode("a red fox in the snow, 35mm photo"),
      ElementsAre(3, 9, 1131, 3, 20400, 16, 8, 2983, 6, 3097, 635, 1202, 1));
  EXPECT_THAT(t5->Encode("  \u00dcn\u00efc\u00f6d\u00e9 \ufb01ne\t\uff46\uff55"
                         "\uff4c\uff4c\u3000width \n\u65e5\u672c\u8a9e "
                         "\u732b <extra_id_0> x"),
              ElementsAre(3, 14858, 29, 2, 75, 1872, 3764, 1399, 423, 9400, 3,
                          2, 3, 2, 32099, 3, 226, 1));
  EXPECT_THAT(
      t5->Encode("CAPS don't 12,345.67 \u201cquotes\u201d \u2014 dash\u2026"),
      ElementsAre(205, 28231, 278, 31, 17, 10440, 3710, 9125, 3708, 105, 8270,
                  15, 7, 153, 3, 318, 211, 107, 233, 1));
  EXPECT_THAT(t5->Encode("<pad></s><unk><extra_id_99>"),
              ElementsAre(0, 1, 2, 32000, 1));
}

TEST(T5TokenizerFilesTest, NamesWhatIsWrongWithTokenizerJson) {
  const TestFolder folder;
  const auto expect = [&](const char* text, absl::StatusCode code,
                          const char* says) {
    folder.Write("tokenizer.json", text);
    EXPECT_THAT(T5Tokenizer::Read(folder.path()), StatusIs(code, says));
  };
  expect(R"({"model":{"type":"BPE"}})", absl::StatusCode::kUnimplemented,
         "tokenizer.json: model.type is \"BPE\"");
  expect(R"({"model":{"type":"Unigram"}})", kInvalid, "model.unk_id");
  expect(R"({"model":{"unk_id":1,"vocab":[["a",-1]]}})", kInvalid,
         "model.unk_id");
  expect(R"({"model":{"unk_id":0,"vocab":[["<unk>",0],["a"]]}})", kInvalid,
         "piece 1 is broken");
  expect(R"({"model":{"unk_id":0,"vocab":[["<unk>",0],["a",-1]]}})", kInvalid,
         "has no <pad>, </s> or unknown piece");
  expect(R"({"normalizer":{"type":"Precompiled","precompiled_charsmap":"*"},
             "model":{"unk_id":0,"vocab":[["<unk>",0],["a",-1]]}})",
         kInvalid, "precompiled_charsmap is not Base64");
}

}  // namespace
}  // namespace genzo
