// Edges of what texts are read as: prompts, samplers' names, traces, log lines.

#include <cmath>

#include "base/guidance_rules.h"
#include "base/logging.h"
#include "base/prompt_syntax.h"
#include "base/sampler_spelling.h"
#include "base/shortest_digits.h"
#include "base/statistics.h"
#include "base/tracing.h"
#include "base/utf8.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Optional;

TEST(PromptSyntaxTest, AWeightMayBeNegative) {
  const auto pieces = ParsePromptWeights("a (cat:-0.5)");
  ASSERT_EQ(pieces.size(), 2u);
  EXPECT_EQ(pieces[1].weight, -0.5);
}

TEST(PromptSyntaxTest, AWeightMayHaveAPlus) {
  EXPECT_EQ(ParsePromptWeights("(cat:+1.5)")[0].weight, 1.5);
}

TEST(PromptSyntaxTest, AnEscapedBracketInsideAWeightClosesNothing) {
  EXPECT_EQ(ParsePromptWeights("(a \\) b:1.5)"),
            (std::vector<WeightedText>{{"a ) b", 1.5}}));
}

TEST(PromptSyntaxTest, ABackslashAtTheEndIsDropped) {
  EXPECT_EQ(ParsePromptWeights("a\\"), (std::vector<WeightedText>{{"a", 1}}));
}

TEST(PromptSyntaxTest, ABreakAtEitherEndMakesAnEmptyChunk) {
  EXPECT_EQ(ParsePromptWeights("BREAK a"),
            (std::vector<WeightedText>{{"", 1}, {"a", 1, true}}));
  EXPECT_EQ(ParsePromptWeights("a BREAK"),
            (std::vector<WeightedText>{{"a", 1}, {"", 1, true}}));
}

TEST(PromptSyntaxTest, AWeightOfTheLimitIsTaken) {
  EXPECT_EQ(FaultInPromptSyntax("(fox:10)"), std::nullopt);
  EXPECT_THAT(FaultInPromptSyntax("(fox:-10.5)"),
              Optional(HasSubstr("a weight of -10.5, the limit is 10")));
}

TEST(PromptSyntaxTest, WeightsMultiplyUpToTheLimit) {
  EXPECT_THAT(FaultInPromptSyntax("((fox:4):3)"),
              Optional(HasSubstr("a weight of 12")));
}

TEST(PromptSyntaxTest, AColonInSquareBracketsMayBeText) {
  EXPECT_EQ(FaultInPromptSyntax("[ratio 16:nine]"), std::nullopt);
  EXPECT_EQ(FaultInPromptSyntax("[ratio 16:9]"), std::nullopt)
      << "words from step 9 on";
}

TEST(SamplerSpellingTest, ANameOfNothingButSignsIsNone) {
  for (const char* name : {" ", "++", "___", "sample", "sample_"}) {
    EXPECT_FALSE(FindSampler(name).has_value()) << name;
  }
  EXPECT_FALSE(FindSchedule("--").has_value());
}

TEST(SamplerSpellingTest, ANameThatNeverEndsIsNone) {
  EXPECT_FALSE(FindSampler("euler" + std::string(2000, 'a')).has_value());
}

TEST(SamplerSpellingTest, SchedulesHaveShortNamesToo) {
  EXPECT_EQ(FindSchedule("ays"), v1::NOISE_SCHEDULE_ALIGN_YOUR_STEPS);
  EXPECT_EQ(FindSchedule("sgm uniform"), v1::NOISE_SCHEDULE_SGM_UNIFORM);
  EXPECT_FALSE(FindSchedule("karras2").has_value());
}

TEST(SamplerSpellingTest, ALabelTellsTheScheduleThatWasAskedFor) {
  const SamplerLabels labels =
      LabelsOf({v1::SAMPLER_EULER, v1::NOISE_SCHEDULE_KARRAS});
  EXPECT_EQ(labels.sampler, "Euler");
  EXPECT_EQ(labels.schedule, "Karras");
  EXPECT_EQ(LabelsOf({v1::SAMPLER_EULER}).schedule, "")
      << "the web UI would take it unasked";
}

TEST(GuidanceRulesTest, SharesAreTheWholeWalkUnlessSaid) {
  v1::GuidanceOptions options;
  EXPECT_EQ(SharesOf(options).start, 0);
  EXPECT_EQ(SharesOf(options).end, 1);
  options.set_end(0);
  EXPECT_EQ(SharesOf(options).end, 0) << "zero was said";
}

TEST(ShortestDigitsTest, WholeNumbersHaveNoPoint) {
  EXPECT_EQ(ShortestDigits(0), "0");
  EXPECT_EQ(ShortestDigits(-3), "-3");
  EXPECT_EQ(ShortestDigits(1e23), "1e+23");
}

TEST(QuantileTest, SharesOutsideOfTheRangeAreTheEnds) {
  EXPECT_THAT(Quantile({1, 2, 3}, -1), Optional(1.0));
  EXPECT_THAT(Quantile({1, 2, 3}, 2), Optional(3.0));
}

TEST(SpreadTest, OfOneValueIsThatValue) {
  const Spread spread = *SpreadOf({4});
  EXPECT_EQ(spread.count, 1);
  EXPECT_EQ(spread.mean, 4);
  EXPECT_EQ(spread.p99, 4);
}

TEST(JainIndexTest, OfOneShareIsOne) {
  EXPECT_THAT(JainIndex({7}), Optional(1.0));
}

TEST(TracingTest, ContextsAreReadWithSpacesAround) {
  EXPECT_TRUE(ParseTraceparent(
                  " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00\t")
                  .has_value());
}

TEST(TracingTest, ALaterVersionMustSetOffWhatItAdds) {
  EXPECT_FALSE(
      ParseTraceparent(
          "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more")
          .has_value());
}

TEST(TracingTest, TheLowestFlagIsSampled) {
  const auto sampled = [](const std::string& flags) {
    return ParseTraceparent(
               "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-" + flags)
        ->sampled;
  };
  EXPECT_TRUE(sampled("ff"));
  EXPECT_TRUE(sampled("0b"));
  EXPECT_FALSE(sampled("fe"));
}

TEST(TracingTest, ACallerWhoIsNotSampledStaysSo) {
  class All : public Tracer {
   public:
    All() : Tracer(1) {}
    void Record(Span) override {}
  } all;
  const auto caller = ParseTraceparent(
      "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00");
  EXPECT_THAT(TraceparentFor(caller, &all), EndsWith("-00"));
}

std::string Logged(const std::string& format, const std::string& entry) {
  EXPECT_THAT(InitLogging("info", format), IsOk());
  ::testing::internal::CaptureStderr();
  spdlog::warn("{}", entry);
  return ::testing::internal::GetCapturedStderr();
}

TEST(LoggingTest, AnEntryIsOneLineWhateverItHolds) {
  const std::string line = Logged("text", "file a\nb\x1b[2J");
  EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
  EXPECT_EQ(line.find('\x1b'), std::string::npos);
  EXPECT_THAT(line, HasSubstr(" warning file a"));
}

TEST(LoggingTest, AnEntryOfPlainWordsStaysAsItIs) {
  EXPECT_THAT(Logged("text", "\u591c \"a\" is left out: 'b' \\"),
              EndsWith(" warning \u591c \"a\" is left out: 'b' \\\n"));
}

TEST(LoggingTest, AnUnknownLevelNamesTheKnownOnes) {
  EXPECT_THAT(InitLogging("loud"),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "log level \"loud\" is not one of debug, info, warning, "
                       "error, off"));
}

TEST(LoggingTest, OffSaysNothing) {
  ASSERT_THAT(InitLogging("off"), IsOk());
  ::testing::internal::CaptureStderr();
  spdlog::error("x");
  LogEvent(spdlog::level::err, "x", {});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  ASSERT_THAT(InitLogging("info"), IsOk());
}

TEST(Utf8Test, OverlongSequencesAreNot) {
  EXPECT_FALSE(IsUtf8("\xc0\xaf"));
  EXPECT_FALSE(IsUtf8("\xf4\x90\x80\x80")) << "over U+10FFFF";
  EXPECT_TRUE(IsUtf8("\xf4\x8f\xbf\xbf"));
}

TEST(Utf8Test, WhatComesBehindABadByteIsKept) {
  EXPECT_EQ(ToUtf8("\xe7\x8f"
                   "a"),
            "\uFFFD\uFFFD"
            "a");
  EXPECT_EQ(ToUtf8(""), "");
}

TEST(Utf8Test, LinesAndTabsAreControls) {
  EXPECT_EQ(Printable("a\tb\nc\x7f"), "a\uFFFDb\uFFFDc\uFFFD");
}

}  // namespace
}  // namespace genzo
