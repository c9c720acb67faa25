#include "worker/text/t5_tokenizer.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

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

}  // namespace
}  // namespace genzo
