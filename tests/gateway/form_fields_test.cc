#include "gateway/form_fields.h"

#include "gateway/json_body.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using nlohmann::json;

json Nested(const std::vector<FormText>& texts) {
  const auto nested = NestFields(texts);
  EXPECT_THAT(nested, IsOk());
  return nested.value_or(json());
}

TEST(FormFieldsTest, WhatHasNoPiecesIsAText) {
  EXPECT_EQ(Nested({}), json::object());
  EXPECT_EQ(Nested({{"a", "1"}, {"b", ""}}), json({{"a", "1"}, {"b", ""}}));
}

TEST(FormFieldsTest, PiecesMakeObjectsAndLists) {
  EXPECT_EQ(Nested({{"a[b][c]", "1"}, {"a[d]", "2"}}),
            json::parse(R"({"a": {"b": {"c": "1"}, "d": "2"}})"));
  EXPECT_EQ(Nested({{"a[]", "1"}, {"b", "x"}, {"a[]", "2"}}),
            json::parse(R"({"a": ["1", "2"], "b": "x"})"));
  EXPECT_EQ(Nested({{"a[1]", "2"}, {"a[0]", "1"}}),
            json::parse(R"({"a": ["1", "2"]})"));
  EXPECT_EQ(Nested({{"a[0][b][]", "1"}, {"a[0][b][]", "2"}, {"a[1]", "3"}}),
            json::parse(R"({"a": [{"b": ["1", "2"]}, "3"]})"));
}

// PyPI's openai sends all pieces of a name, npm's all of an entry first.
TEST(FormFieldsTest, TheNthPieceIsOfTheNthEntry) {
  const json both =
      json::parse(R"({"a": [{"n": "1", "w": "x"}, {"n": "2", "w": "y"}]})");
  EXPECT_EQ(
      Nested(
          {{"a[][n]", "1"}, {"a[][n]", "2"}, {"a[][w]", "x"}, {"a[][w]", "y"}}),
      both);
  EXPECT_EQ(
      Nested(
          {{"a[][n]", "1"}, {"a[][w]", "x"}, {"a[][n]", "2"}, {"a[][w]", "y"}}),
      both);
  EXPECT_EQ(Nested({{"a[][b][c]", "1"}, {"a[][b][c]", "2"}}),
            json::parse(R"({"a": [{"b": {"c": "1"}}, {"b": {"c": "2"}}]})"));
}

TEST(FormFieldsTest, AListInTheOnlyEntryIsThatEntrys) {
  EXPECT_EQ(Nested({{"a[][n]", "1"}, {"a[][b][]", "2"}, {"a[][b][]", "3"}}),
            json::parse(R"({"a": [{"n": "1", "b": ["2", "3"]}]})"));
}

TEST(FormFieldsTest, WhatNobodyCanTellApartIsRefused) {
  for (const auto& [texts, message] :
       std::vector<std::pair<std::vector<FormText>, std::string>>{
           {{{"a", "1"}, {"a", "2"}}, "a occurs twice"},
           {{{"a[b]", "1"}, {"a[b]", "2"}}, "a[b] occurs twice"},
           {{{"a[0]", "1"}, {"a[0]", "2"}}, "a[0] occurs twice"},
           {{{"a", "1"}, {"a[b]", "2"}}, "a is a text, and has pieces"},
           {{{"a[]", "1"}, {"a[0]", "2"}}, "a has pieces of its entries, and"},
           {{{"a[1]", "1"}}, "a[0] is missing"},
           {{{"a[99999999999999999999]", "1"}}, "a[0] is missing"},
           {{{"a[][n]", "1"}, {"a[][n]", "2"}, {"a[][w]", "3"}},
            "a[][w] occurs 1 times, but its list has 2 entries"},
           {{{"a[][w]", "3"}, {"a[][n]", "1"}, {"a[][n]", "2"}},
            "a[][w] occurs 1 times, but its list has 2 entries"},
           {{{"a[][n]", "1"}, {"a[][n]", "2"}, {"a[][b][]", "3"}},
            "a[][b][] is a list in a list"},
           {{{"a[][]", "1"}}, "a[] is a list in a list"}}) {
    EXPECT_THAT(NestFields(texts), StatusIs(kInvalid, message)) << message;
  }
}

TEST(FormFieldsTest, ANameThatIsWrittenOtherwiseIsItself) {
  for (const char* name : {"a[", "a]", "[a]", "[]", "a[b", "a[b]c", "a]b["}) {
    EXPECT_EQ(Nested({{name, "1"}}), json({{name, "1"}})) << name;
  }
}

TEST(FormFieldsTest, BoundsTheDepth) {
  std::string name = "a";
  for (int i = 1; i < kMaxBodyDepth; ++i) name += "[b]";
  EXPECT_THAT(NestFields({{name, "1"}}), IsOk());
  EXPECT_THAT(NestFields({{name + "[b]", "1"}}),
              StatusIs(kInvalid, "a is nested deeper than 32 levels"));
}

}  // namespace
}  // namespace genzo
