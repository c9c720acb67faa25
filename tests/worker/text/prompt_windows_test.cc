#include "worker/text/prompt_windows.h"

#include "ATen/ops/full.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/text/learned_words.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

constexpr int64_t kBegin = 49406, kEnd = 49407, kA = 320, kFox = 3240;

const ClipTokenizer& Sd1() {
  static const auto* const tokenizer =
      new ClipTokenizer(*ClipTokenizer::Read(TinyModelFolder() + "/tokenizer"));
  return *tokenizer;
}

// Whose padding is 0.
const ClipTokenizer& Sd2() {
  static const auto* const tokenizer = new ClipTokenizer(*ClipTokenizer::Read(
      SourcePath("tests/data/reference/models/sd2-base/tokenizer")));
  return *tokenizer;
}

std::vector<int64_t> First(const TokenWindow& window, size_t count) {
  return {window.ids.begin(), window.ids.begin() + count};
}

std::string Words(const std::string& word, int count) {
  std::string words;
  for (int i = 0; i < count; ++i) words += word + " ";
  return words;
}

TEST(PromptWindowsTest, PlainTextIsWhatTheTokenizerMakesOfIt) {
  for (const std::string& text :
       {std::string(), std::string("a (fox:1.3)"), Words("fox", 75),
        Words("fox", 76), Words("fox", 200)}) {
    const auto windows = ReadWindows(Sd2(), text, {});
    ASSERT_THAT(windows, SizeIs(1));
    EXPECT_EQ(windows[0].ids, Sd2().EncodePadded(text));
    EXPECT_EQ(windows[0].weights, std::vector<float>(77, 1));
  }
}

TEST(PromptWindowsTest, TokensHaveTheirWeights) {
  const auto windows =
      ReadWindows(Sd1(), "a (fox:1.5)", {.weighted = true, .most_windows = 3});
  ASSERT_THAT(windows, SizeIs(1));
  EXPECT_THAT(First(windows[0], 4), ElementsAre(kBegin, kA, kFox, kEnd));
  EXPECT_THAT(std::vector<float>(windows[0].weights.begin(),
                                 windows[0].weights.begin() + 4),
              ElementsAre(1, 1, 1.5f, 1));
}

TEST(PromptWindowsTest, TheEndStandsBehindThePaddingOrTheText) {
  WindowRules rules = {.weighted = true, .most_windows = 3};
  const TokenWindow behind_padding = ReadWindows(Sd2(), "a fox", rules)[0];
  EXPECT_THAT(First(behind_padding, 5), ElementsAre(kBegin, kA, kFox, 0, 0));
  EXPECT_EQ(behind_padding.ids.back(), kEnd);
  rules.end_behind_padding = false;
  EXPECT_EQ(ReadWindows(Sd2(), "a fox", rules)[0].ids,
            Sd2().EncodePadded("a fox"));
}

TEST(PromptWindowsTest, LongTextIsReadInChunks) {
  const WindowRules rules = {.weighted = true, .most_windows = 3};
  const auto two = ReadWindows(Sd1(), Words("fox", 76), rules);
  ASSERT_THAT(two, SizeIs(2));
  EXPECT_EQ(two[0].ids[75], kFox);
  EXPECT_EQ(two[0].ids[76], kEnd);
  EXPECT_THAT(First(two[1], 3), ElementsAre(kBegin, kFox, kEnd));
  EXPECT_THAT(ReadWindows(Sd1(), Words("fox", 75), rules), SizeIs(1));
  EXPECT_THAT(ReadWindows(Sd1(), Words("fox", 1000), rules), SizeIs(3));
}

TEST(PromptWindowsTest, BreakFillsAChunkUp) {
  const WindowRules rules = {.weighted = true, .most_windows = 4};
  const auto windows = ReadWindows(Sd1(), "a BREAK fox BREAK", rules);
  ASSERT_THAT(windows, SizeIs(2));
  EXPECT_THAT(First(windows[0], 3), ElementsAre(kBegin, kA, kEnd));
  EXPECT_THAT(First(windows[1], 3), ElementsAre(kBegin, kFox, kEnd));
  auto padded = windows;
  PadWindows(Sd1(), rules, 3, padded);
  ASSERT_THAT(padded, SizeIs(3));
  EXPECT_THAT(First(padded[2], 2), ElementsAre(kBegin, kEnd));
}

TEST(PromptWindowsTest, LearnedWordsAreTheirVectors) {
  const EmbeddingLibrary library({{"<castle>", {at::full({1, 8}, 1.0f)}},
                                  {"tiny-Style", {at::full({3, 8}, 2.0f)}},
                                  {"other", {at::full({1, 16}, 3.0f)}}});
  const LearnedWords learned(library, {8}, 0, 49408);
  EXPECT_THAT(learned.vectors(), SizeIs(4)) << "those of this width";
  WindowRules rules = {.weighted = true, .learned = &learned};
  rules.most_windows = 1;
  EXPECT_THAT(First(ReadWindows(Sd1(), "a <CASTLE> TINY-style", rules)[0], 7),
              ElementsAre(kBegin, kA, 49408, 49409, 49410, 49411, kEnd));
  EXPECT_EQ(ReadWindows(Sd1(), "tiny-styled other", rules)[0].ids,
            Sd1().EncodePadded("tiny-styled other"))
      << "parts of words, and words for other models, are text";
}

}  // namespace
}  // namespace genzo
