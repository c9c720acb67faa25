// Ids come from transformers 5.23's CLIPTokenizer, beyond those that
// genzo_parity compares.

#include "worker/text/clip_tokenizer.h"

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

const ClipTokenizer& Sd1() {
  static const auto* const tokenizer =
      new ClipTokenizer(*ClipTokenizer::Read(TinyModelFolder() + "/tokenizer"));
  return *tokenizer;
}

const ClipTokenizer& Sd2() {
  static const auto* const tokenizer = new ClipTokenizer(*ClipTokenizer::Read(
      SourcePath("tests/data/reference/models/sd2-base/tokenizer")));
  return *tokenizer;
}

const ClipTokenizer& Emaki() {
  static const auto* const tokenizer = new ClipTokenizer(
      *ClipTokenizer::Read(SourcePath("models/emaki/tokenizer")));
  return *tokenizer;
}

TEST(ClipTokenizerTest, FindsSpecialTokensInText) {
  EXPECT_THAT(Sd1().Encode("a<|startoftext|>b <|endoftext|>  c"),
              ElementsAre(49406, 320, 49406, 321, 49407, 322, 49407));
  EXPECT_THAT(
      Sd1().Encode("a <|ENDOFTEXT|> b"),
      ElementsAre(49406, 320, 27, 347, 40786, 4160, 91, 285, 321, 49407))
      << "looked for before lower-casing";
  EXPECT_THAT(Sd2().Encode("a <|ENDOFTEXT|> b"),
              ElementsAre(49406, 320, 49407, 321, 49407))
      << "looked for after lower-casing: it does not pad here";
  EXPECT_THAT(Sd2().Encode("! a!b !!"),
              ElementsAre(49406, 0, 320, 0, 321, 0, 0, 49407));
}

TEST(ClipTokenizerTest, TreatsUnicodeLikeTheReference) {
  EXPECT_THAT(
      Sd1().Encode("\u0391\u03a3 \u03a3 \u0130"),
      ElementsAre(49406, 138, 109, 139, 481, 139, 481, 328, 16384, 49407));
  EXPECT_THAT(Sd1().Encode("a\u0085b\u200bc\u2028d"),
              ElementsAre(49406, 320, 321, 9844, 322, 323, 49407));
  EXPECT_THAT(
      Sd1().Encode("x\u00b2\u00b3\u00bd\u216b"),
      ElementsAre(49406, 343, 41175, 126, 367, 33613, 158, 227, 375, 49407));
  EXPECT_THAT(Sd1().Encode(std::string("\0a\1", 3)),
              ElementsAre(49406, 444, 320, 445, 49407));
}

TEST(ClipTokenizerTest, ReadsTheSmallVocabulary) {
  EXPECT_THAT(Emaki().Encode("! a!b !!"),
              ElementsAre(4094, 256, 320, 256, 321, 0, 256, 4095));
  EXPECT_THAT(
      Emaki().Encode("don'T can't 'S"),
      ElementsAre(4094, 67, 525, 6, 339, 538, 333, 6, 339, 6, 338, 4095));
}

TEST(ClipTokenizerTest, PadsAndCuts) {
  const auto ids = Sd1().EncodePadded("fog");
  EXPECT_EQ(ids.size(), 77u);
  EXPECT_EQ(ids[3], 49407);
  EXPECT_EQ(Sd2().EncodePadded("fog")[3], 0);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "fog ";
  const auto cut = Sd1().EncodePadded(text);
  EXPECT_EQ(cut.size(), 77u);
  EXPECT_EQ(cut[75], cut[1]);
  EXPECT_EQ(cut[76], 49407);
}

TEST(ClipTokenizerTest, IsQuickWithOneLongWord) {
  EXPECT_GT(Sd1().Encode(std::string(1 << 20, 'a')).size(), 1000u);
}

TEST(ClipTokenizerTest, NamesBrokenFiles) {
  const TestFolder folder;
  EXPECT_THAT(ClipTokenizer::Read(folder.path()).status(),
              StatusIs(absl::StatusCode::kNotFound, "vocab.json"));
  folder.Write("vocab.json", R"({"a": 0})");
  folder.Write("merges.txt", "a b\n");
  EXPECT_THAT(ClipTokenizer::Read(folder.path()).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "\"a b\""));
}

// What transformers 5 saves of the box's tokenizer, merges as arrays or, as
// tokenizers wrote them until 0.20, in a string each.
void WriteTokenizerJson(const TestFolder& folder, bool arrays) {
  const std::string from = SourcePath("models/emaki/tokenizer");
  nlohmann::json merges = nlohmann::json::array();
  for (const absl::string_view line :
       absl::StrSplit(ReadFile(from + "/merges.txt"), '\n')) {
    if (line.empty() || absl::StartsWith(line, "#version")) continue;
    const std::pair<std::string, std::string> pair = absl::StrSplit(line, ' ');
    if (arrays) {
      merges.push_back({pair.first, pair.second});
    } else {
      merges.push_back(std::string(line));
    }
  }
  const nlohmann::json file = {
      {"added_tokens",
       {{{"id", 4094}, {"content", "<|startoftext|>"}, {"special", true}},
        {{"id", 4095}, {"content", "<|endoftext|>"}, {"special", true}}}},
      {"model",
       {{"type", "BPE"},
        {"unk_token", "<|endoftext|>"},
        {"vocab", nlohmann::json::parse(ReadFile(from + "/vocab.json"))},
        {"merges", merges}}}};
  folder.Write("tokenizer.json", file.dump());
  folder.Write("tokenizer_config.json",
               ReadFile(from + "/tokenizer_config.json"));
}

TEST(ClipTokenizerFilesTest, TokenizerJsonAloneIsEnough) {
  for (const bool arrays : {true, false}) {
    const TestFolder folder;
    WriteTokenizerJson(folder, arrays);
    const auto tokenizer = ClipTokenizer::Read(folder.path());
    ASSERT_THAT(tokenizer, IsOk());
    for (const char* text :
         {"a red fox in the snow", "\u96ea\u306e\u4e2d\u306e\u72d0, 1920s",
          "don't <|endoftext|> a!b"}) {
      EXPECT_EQ(tokenizer->EncodePadded(text), Emaki().EncodePadded(text));
    }
  }
}

TEST(ClipTokenizerFilesTest, NamesWhatIsWrongWithTokenizerJson) {
  const TestFolder folder;
  const auto expect = [&](const char* text, absl::StatusCode code,
                          const char* says) {
    folder.Write("tokenizer.json", text);
    EXPECT_THAT(ClipTokenizer::Read(folder.path()), StatusIs(code, says));
  };
  expect("{", kInvalid, "tokenizer.json");
  expect("{}", absl::StatusCode::kUnimplemented, "model.type is null");
  expect(R"({"model":{"type":"Unigram"}})", absl::StatusCode::kUnimplemented,
         "model.type is \"Unigram\", not \"BPE\"");
  expect(R"({"model":{"type":"BPE","vocab":[]}})", kInvalid, "model.vocab");
  expect(R"({"model":{"vocab":{"a":0}}})", kInvalid, "no pair of tokens");
  expect(R"({"model":{"vocab":{"a":0},"merges":[["a"]]}})", kInvalid,
         "is not a pair of tokens");
  expect(R"({"added_tokens":[{"content":"a","id":-1}],"model":{}})", kInvalid,
         "added_tokens");
}

}  // namespace
}  // namespace genzo
