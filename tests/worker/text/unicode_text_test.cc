#include "worker/text/unicode_text.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

TEST(UnicodeTextTest, NormalizesLikeTheReference) {
  EXPECT_EQ(NormalizeText("A \t\n b"), "a b");
  EXPECT_EQ(NormalizeText("cafe\u0301"), "caf\u00e9");
  EXPECT_EQ(NormalizeText("\u03a3"), "\u03c3");
  EXPECT_EQ(NormalizeText("\u03b1\u03a3"), "\u03b1\u03c3") << "no final sigma";
  EXPECT_EQ(NormalizeText("\xff!"), "\ufffd!");
}

TEST(UnicodeTextTest, SplitsLikeTheReference) {
  EXPECT_THAT(SplitWords("it's 12 o'clock!?"),
              ElementsAre("it", "'s", "1", "2", "o", "'", "clock", "!?"));
  EXPECT_THAT(SplitWords("  "), ElementsAre());
}

TEST(UnicodeTextTest, WhiteSpaceIsOneSpace) {
  EXPECT_EQ(NormalizeText("a\u00a0\u3000\r\nb"), "a b");
  EXPECT_EQ(NormalizeText(""), "");
}

TEST(UnicodeTextTest, PrintableTextIsUtf8) {
  EXPECT_EQ(PrintableText("caf\u00e9 \u65e5\u672c", 100),
            "caf\u00e9 \u65e5\u672c");
  EXPECT_EQ(PrintableText("a\xff\xe6\x97", 100), "a\ufffd\ufffd");
  EXPECT_EQ(PrintableText(std::string("\0\x1b[31m", 6), 100),
            "\ufffd\ufffd[31m");
  EXPECT_EQ(PrintableText("a\u202eb\u009b", 100), "a\ufffdb\ufffd");
}

TEST(UnicodeTextTest, PrintableTextIsShort) {
  EXPECT_EQ(PrintableText("abc", 3), "abc");
  EXPECT_EQ(PrintableText("abcd", 3), "abc...");
  EXPECT_EQ(PrintableText("ab\u65e5c", 4), "ab...") << "no half character";
  EXPECT_EQ(PrintableText(std::string(50'000'000, '\xff'), 500).size(), 501u);
}

}  // namespace
}  // namespace genzo
