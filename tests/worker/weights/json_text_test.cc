#include "worker/weights/json_text.h"

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

std::string Nested(size_t levels) {
  return std::string(levels, '[') + std::string(levels, ']');
}

TEST(JsonTextTest, ParsesWhatIsShallow) {
  EXPECT_EQ(*ParseJson(R"({"a":[1,"x"]})"), json({{"a", {1, "x"}}}));
  EXPECT_THAT(ParseJson(Nested(64)), IsOk());
}

TEST(JsonTextTest, RefusesWhatIsDeep) {
  for (const size_t levels : {65u, 200'000u, 3'000'000u}) {
    EXPECT_THAT(ParseJson(Nested(levels)),
                StatusIs(kInvalid, "deeper than 64 levels"));
  }
  std::string objects;
  for (int i = 0; i < 200'000; ++i) objects += "{\"a\":";
  EXPECT_THAT(ParseJson(objects), StatusIs(kInvalid, "deeper than 64 levels"));
}

TEST(JsonTextTest, RefusesWhatIsNotJson) {
  for (const char* text : {"", "{", "{\"a\":1e999}", "[1,]", "\"\xff\""}) {
    EXPECT_THAT(ParseJson(text), StatusIs(kInvalid, "is not JSON")) << text;
  }
}

TEST(JsonTextTest, KeysMayHaveToBeUnique) {
  const std::string twice = R"({"a":1,"a":2})";
  EXPECT_EQ(*ParseJson(twice), json({{"a", 2}}));
  EXPECT_THAT(ParseJson(twice, TopKeys::kAreUnique),
              StatusIs(kInvalid, "\"a\" occurs twice"));
  EXPECT_THAT(ParseJson(R"({"a":{"c":1},"b":{"c":1}})", TopKeys::kAreUnique),
              IsOk());
}

TEST(JsonTextTest, ShowsLittle) {
  EXPECT_EQ(Shown(json("x")), "\"x\"");
  EXPECT_EQ(Shown(json({1, 2})), "[1,2]");
  EXPECT_EQ(Shown(json({{1}})), "[...]");
  EXPECT_EQ(Shown(json(std::string(5000, 'x'))).size(), 103u);
}

TEST(JsonTextTest, CutsBetweenCharacters) {
  std::string text(99, 'x');
  EXPECT_EQ(Shortened(text + "y"), text + "y");
  EXPECT_EQ(Shortened(text + "\u00e9z"), text + "...");
}

}  // namespace
}  // namespace genzo
