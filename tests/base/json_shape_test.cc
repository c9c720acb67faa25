#include "base/json_shape.h"

#include "gtest/gtest.h"

namespace genzo {
namespace {

using Kind = JsonFault::Kind;

TEST(JsonShapeTest, AValueAloneHasNoDepth) {
  EXPECT_FALSE(FindJsonFault("17", /*max_depth=*/0, true).has_value());
  EXPECT_FALSE(FindJsonFault("\"[[[\"", /*max_depth=*/0, true).has_value());
}

TEST(JsonShapeTest, TheDeepestLevelThatIsAllowedIsAllowed) {
  EXPECT_FALSE(FindJsonFault(R"({"a": [{}]})", 3, false).has_value());
  const auto fault = FindJsonFault(R"({"a": [{}]})", 2, false);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kTooDeep);
}

TEST(JsonShapeTest, LevelsThatWereClosedDoNotCount) {
  EXPECT_FALSE(FindJsonFault("[[],[],[],{},{}]", 2, false).has_value());
}

TEST(JsonShapeTest, DepthIsFoundBeforeTheTextEnds) {
  const auto fault = FindJsonFault(std::string(100'000, '['), 64, false);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kTooDeep) << "and not that it is cut";
}

TEST(JsonShapeTest, ARepeatedKeyIsNamed) {
  const auto fault = FindJsonFault(R"({"a": 1, "b": 2, "a": 3})", 9, true);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kRepeatedKey);
  EXPECT_EQ(fault->key, "a");
}

TEST(JsonShapeTest, KeysAreComparedAsTheyAreMeant) {
  const auto fault = FindJsonFault(R"({"a": 1, "\u0061": 2})", 9, true);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kRepeatedKey);
}

TEST(JsonShapeTest, InnerObjectsMayShareKeys) {
  EXPECT_FALSE(
      FindJsonFault(R"({"a": {"x": 1}, "b": {"x": 1, "x": 2}})", 9, true)
          .has_value());
}

TEST(JsonShapeTest, RepetitionIsNoFaultUnlessAskedFor) {
  EXPECT_FALSE(FindJsonFault(R"({"a": 1, "a": 2})", 9, false).has_value());
}

TEST(JsonShapeTest, TellsWhereTextStopsBeingJson) {
  const auto fault = FindJsonFault(R"({"a": nan})", 9, false);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->kind, Kind::kNotJson);
  EXPECT_EQ(fault->position, 8u) << "the byte that \"null\" does not have";
}

TEST(JsonShapeTest, NothingIsNoJson) {
  for (const char* text :
       {"", " ", "{", "{}x", "{'a': 1}", "[1,]", "\"\xff\""}) {
    const auto fault = FindJsonFault(text, 9, false);
    ASSERT_TRUE(fault.has_value()) << text;
    EXPECT_EQ(fault->kind, Kind::kNotJson) << text;
  }
}

}  // namespace
}  // namespace genzo
