#include "base/utf8.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

TEST(Utf8Test, TellsValidFromInvalid) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("d\u00e9velopp\u00e9 \u73fe\u50cf"));
  EXPECT_FALSE(IsUtf8("bad\xff"));
  EXPECT_FALSE(IsUtf8("\xe7\x8f")) << "cut";
  EXPECT_FALSE(IsUtf8("\xed\xa0\x80")) << "a surrogate";
}

TEST(Utf8Test, ReplacesWhatIsNot) {
  EXPECT_EQ(ToUtf8("a\xff\u73fe"), "a\uFFFD\u73fe");
}

TEST(Utf8Test, ShowsNoControls) {
  EXPECT_EQ(Printable("a\x1b[2J\u009b\u202e\u2066z"),
            "a\uFFFD[2J\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(Printable("\u73fe\u50cf \U0001F469\u200D\U0001F3A8"),
            "\u73fe\u50cf \U0001F469\u200D\U0001F3A8");
}

}  // namespace
}  // namespace genzo
