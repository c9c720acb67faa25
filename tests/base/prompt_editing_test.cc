#include "base/prompt_editing.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

using Texts = std::vector<TextFrom>;

// Worked out by hand, step by step, by what A1111's documentation says.
TEST(EditedTextsTest, AreThoseOfTheirSteps) {
  const std::pair<const char*, Texts> cases[] = {
      {"a fox", {{0, "a fox"}}},
      {"a [red:blue:2] fox", {{0, "a red fox"}, {2, "a blue fox"}}},
      {"a [red:blue:0.5] fox", {{0, "a red fox"}, {5, "a blue fox"}}},
      {"a [red:blue:.29] fox", {{0, "a red fox"}, {2, "a blue fox"}}},
      {"a [red: blue : 3 ]", {{0, "a red"}, {3, "a  blue "}}},
      {"a [late:4]", {{0, "a "}, {4, "a late"}}},
      {"a [early::4]", {{0, "a early"}, {4, "a "}}},
      {"[a:b:0]", {{0, "b"}}},
      {"[a:b:-3]", {{0, "b"}}},
      {"[a:b:10]", {{0, "a"}}},
      {"[a:b:99]", {{0, "a"}}},
      {"[a:b:1.0]", {{0, "a"}}},
      {"[a:b:1e400]", {{0, "a"}}},
      {"[a:b:1e0]", {{0, "a"}, {1, "b"}}},
      {"[a:[b:c:6]:2]", {{0, "a"}, {2, "b"}, {6, "c"}}},
      {"[[a:b:2]:c:6]", {{0, "a"}, {2, "b"}, {6, "c"}}},
      {"[a:b:2] [c:d:4]", {{0, "a c"}, {2, "b c"}, {4, "b d"}}},
      {"([a:b:2]:1.3)", {{0, "(a:1.3)"}, {2, "(b:1.3)"}}},
      {"[(a:1.2):2]", {{0, ""}, {2, "(a:1.2)"}}},
      {"a [dull] (red:1.3) ((fox))", {{0, "a [dull] (red:1.3) ((fox))"}}}};
  for (const auto& [prompt, texts] : cases) {
    EXPECT_EQ(EditedTexts(prompt, {.steps = 10}), texts) << prompt;
  }
}

TEST(EditedTextsTest, AlternativesTakeTurns) {
  EXPECT_EQ(
      EditedTexts("a [cow|horse]", {.steps = 4}),
      (Texts{{0, "a cow"}, {1, "a horse"}, {2, "a cow"}, {3, "a horse"}}));
  EXPECT_EQ(EditedTexts("[fe||]male", {.steps = 4}),
            (Texts{{0, "female"}, {1, "male"}, {3, "female"}}));
  EXPECT_EQ(EditedTexts("[a|[b:c:3]]", {.steps = 4}),
            (Texts{{0, "a"}, {1, "b"}, {2, "a"}, {3, "c"}}));
  EXPECT_EQ(EditedTexts("[a|(b:1.1)]", {.steps = 2}),
            (Texts{{0, "a"}, {1, "(b:1.1)"}}));
}

TEST(EditedTextsTest, WhatIsNoneOfItStays) {
  for (const char* prompt :
       {"a [b", "a] b:3]", "[a:b]", "[a:b:c]", "[a:b:c:3]", "(a:b:3]",
        "[(a:b:3]", "a \\[red:blue:2\\]", "[red:blue:2\\]", "a:b:3", "", "[]",
        // A bar, or a backslash at the end, that has no place: nothing is read.
        "a | [b:c:3]", "[b:c:3] \\", "[a:b|c:3]"}) {
    EXPECT_EQ(EditedTexts(prompt, {.steps = 10}), (Texts{{0, prompt}}))
        << prompt;
  }
  // Brackets that close nothing are no harm to those that do.
  EXPECT_EQ(EditedTexts("((a][:b:c [d:3]", {.steps = 10}),
            (Texts{{0, "((a][:b:c "}, {3, "((a][:b:c d"}}));
  EXPECT_EQ(EditedTexts("[a\\|b|c\\]]", {.steps = 2}),
            (Texts{{0, "a\\|b"}, {1, "c\\]"}}));
}

TEST(EditedTextsTest, ASecondPassGoesOnFromTheFirst) {
  const EditedSteps second = {.steps = 10, .before = 20};
  EXPECT_EQ(EditedTexts("[a:b:0.5]", second), (Texts{{0, "b"}}));
  EXPECT_EQ(EditedTexts("[a:b:1.5]", second), (Texts{{0, "a"}, {5, "b"}}));
  EXPECT_EQ(EditedTexts("[a:b:24]", second), (Texts{{0, "a"}, {4, "b"}}));
  EXPECT_EQ(EditedTexts("[a:b:20]", second), (Texts{{0, "b"}}));
}

// Neither the stack nor the time runs out.
TEST(EditedTextsTest, HostilePromptsAreReadAsTheyStand) {
  for (const std::string piece : {"[", "(", "[a:", "[a|", "(a:", "[[a:b:2]"}) {
    std::string prompt;
    while (prompt.size() < 8192) prompt += piece;
    EXPECT_THAT(EditedTexts(prompt, {.steps = 150}),
                SizeIs(piece == "[[a:b:2]" ? 2 : 1))
        << piece;
  }
}

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("[a|b]");
  request.set_negative_prompt("[c:d:3]");
  request.set_prompt_syntax(v1::PROMPT_SYNTAX_WEIGHTED);
  return request;
}

std::vector<std::pair<int, size_t>> FromOf(const TextPlan& plan) {
  std::vector<std::pair<int, size_t>> from;
  for (const auto& [step, text] : plan.from) from.emplace_back(step, text);
  return from;
}

TEST(PlanTextsTest, NamesEachCombinationOnce) {
  const TextPlan plan = PlanTexts(Request(), {.steps = 5});
  EXPECT_THAT(plan.texts,
              ElementsAre(RequestTexts{"a", "c"}, RequestTexts{"b", "c"},
                          RequestTexts{"b", "d"}, RequestTexts{"a", "d"}));
  EXPECT_EQ(FromOf(plan), (std::vector<std::pair<int, size_t>>{
                              {0, 0}, {1, 1}, {2, 0}, {3, 2}, {4, 3}}));
}

TEST(PlanTextsTest, AWalkTheOtherWaySeesTheLastFirst) {
  v1::GenerateRequest request = Request();
  request.set_prompt("[a:b:1]");
  request.clear_negative_prompt();
  const TextPlan plan = PlanTexts(request, {.steps = 4}, /*reversed=*/true);
  EXPECT_THAT(plan.texts, ElementsAre(RequestTexts{"b"}, RequestTexts{"a"}));
  EXPECT_EQ(FromOf(plan),
            (std::vector<std::pair<int, size_t>>{{0, 0}, {3, 1}}));
}

TEST(PlanTextsTest, AnotherSyntaxHasNoEditing) {
  v1::GenerateRequest request = Request();
  request.clear_prompt_syntax();
  EXPECT_THAT(PlanTexts(request, {.steps = 5}).texts,
              ElementsAre(RequestTexts{"[a|b]", "[c:d:3]"}));
}

}  // namespace
}  // namespace genzo
