#include "base/prompt_syntax.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Optional;

auto Piece(const std::string& text, double weight) {
  return ::testing::AllOf(
      Field("text", &WeightedText::text, text),
      Field("weight", &WeightedText::weight, DoubleNear(weight, 1e-12)),
      Field("begins_chunk", &WeightedText::begins_chunk, false));
}

TEST(PromptSyntaxTest, BracketsWeigh) {
  EXPECT_THAT(
      ParsePromptWeights("a (red:1.35) fox"),
      ElementsAre(Piece("a ", 1), Piece("red", 1.35), Piece(" fox", 1)));
  EXPECT_THAT(ParsePromptWeights("((vivid)) [dull]"),
              ElementsAre(Piece("vivid", 1.1 * 1.1), Piece(" ", 1),
                          Piece("dull", 1 / 1.1)));
  EXPECT_THAT(ParsePromptWeights("(soft (light:0.8) at dusk)"),
              ElementsAre(Piece("soft ", 1.1), Piece("light", 0.8 * 1.1),
                          Piece(" at dusk", 1.1)));
}

TEST(PromptSyntaxTest, ABackslashTakesABracketAsItStands) {
  EXPECT_THAT(ParsePromptWeights("\\(close up\\) \\[x\\] a\\\\b c\\d"),
              ElementsAre(Piece("(close up) [x] a\\b cd", 1)));
}

TEST(PromptSyntaxTest, WhatIsNotClosedReachesToTheEnd) {
  EXPECT_THAT(ParsePromptWeights("a (b"),
              ElementsAre(Piece("a ", 1), Piece("b", 1.1)));
  EXPECT_THAT(ParsePromptWeights("a) b] c:1.3) d:"),
              ElementsAre(Piece("a) b] c:1.3) d:", 1)));
  EXPECT_THAT(ParsePromptWeights("(a:1.2.3)"),
              ElementsAre(Piece("a:1.2.3", 1.1)))
      << "no number";
}

TEST(PromptSyntaxTest, AnEmptyPromptIsOnePiece) {
  EXPECT_THAT(ParsePromptWeights(""), ElementsAre(Piece("", 1)));
  EXPECT_THAT(ParsePromptWeights("()"), ElementsAre(Piece("", 1)));
}

TEST(PromptSyntaxTest, BreakBeginsAChunk) {
  EXPECT_EQ(
      ParsePromptWeights("a fox BREAK in (snow BREAK fog)"),
      (std::vector<WeightedText>{
          {"a fox", 1}, {"in ", 1, true}, {"snow", 1.1}, {"fog", 1.1, true}}));
  EXPECT_THAT(ParsePromptWeights("BREAKFAST, a BREAKWATER"),
              ElementsAre(Piece("BREAKFAST, a BREAKWATER", 1)));
}

TEST(PromptSyntaxTest, TellsWhatWeighsTooMuch) {
  EXPECT_EQ(FaultInPromptSyntax("a [red] (fox:1.3)"), std::nullopt);
  EXPECT_THAT(FaultInPromptSyntax("a (fox:11)"),
              Optional(HasSubstr("a weight of 11, the limit is 10")));
  EXPECT_THAT(FaultInPromptSyntax(std::string(4000, '(') + "fox"),
              Optional(HasSubstr("the limit is 10")));
}

}  // namespace
}  // namespace genzo
