#include "worker/weights/json_config.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

JsonConfig Config(const std::string& text) {
  return JsonConfig(*JsonConfig::Parse(text), "test.json");
}

TEST(JsonConfigTest, GivesDefaultsForMissingAndNull) {
  JsonConfig config = Config(R"({"a":null})");
  EXPECT_EQ(config.Int("a", 5), 5);
  EXPECT_EQ(config.String("b", "x"), "x");
  EXPECT_EQ(config.IntPerBlock("c", 2, 7), (std::vector<int64_t>{7, 7}));
  EXPECT_THAT(config.status(), IsOk());
}

TEST(JsonConfigTest, NamesKeyAndValue) {
  JsonConfig config = Config(R"({"a":"five","b":-1})");
  config.Int("b", 0);
  config.Int("a", 0);
  EXPECT_THAT(config.status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                        "test.json: b -1 is not a whole"));
}

TEST(JsonConfigTest, ReadsListsPerBlock) {
  JsonConfig config = Config(R"({"a":[1,2],"b":[true,false]})");
  EXPECT_EQ(config.IntPerBlock("a", 2, 0), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(config.BoolPerBlock("b", 2, false),
            (std::vector<bool>{true, false}));
  EXPECT_THAT(config.status(), IsOk());
  config.IntPerBlock("a", 3, 0);
  EXPECT_THAT(config.status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "3 entries"));
}

TEST(JsonConfigTest, ReadsOneSideOrBoth) {
  JsonConfig config = Config(R"({"a":5,"b":[6,9],"d":[1,2,3]})");
  EXPECT_EQ(config.BothSides("a", {1, 2}).width, 5);
  EXPECT_EQ(config.BothSides("b", {1, 2}).height, 6);
  EXPECT_EQ(config.BothSides("b", {1, 2}).width, 9);
  EXPECT_EQ(config.BothSides("c", {1, 2}).width, 2);
  EXPECT_THAT(config.status(), IsOk());
  config.BothSides("d", {1, 2});
  EXPECT_THAT(config.status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "test.json: d"));
}

TEST(JsonConfigTest, ReadsPythonsInfinities) {
  const auto json = JsonConfig::Parse(
      R"({"a":-Infinity,"b":NaN,"c":"-Infinity \" NaN","d":[Infinity]})");
  ASSERT_THAT(json, IsOk());
  EXPECT_TRUE(json->at("a").is_null());
  EXPECT_EQ(json->at("c"), "-Infinity \" NaN");
  EXPECT_TRUE(json->at("d")[0].is_null());
}

TEST(JsonConfigTest, RefusesFilesThatAreNoConfigurations) {
  const TestFolder folder;
  const auto read = [&](const std::string& text) {
    return JsonConfig::ReadFile(folder.Write("a.json", text)).status();
  };
  const std::string deep = std::string(300000, '[') + std::string(300000, ']');
  EXPECT_THAT(read("{\"a\":" + deep + "}"),
              StatusIs(kInvalid, "a.json: is nested deeper than 64 levels"));
  EXPECT_THAT(read("{\"a\":"), StatusIs(kInvalid, "a.json: is not JSON"));
  EXPECT_THAT(read("[]"), StatusIs(kInvalid, "a.json: is not a JSON object"));
  EXPECT_THAT(read(std::string(17 << 20, ' ')),
              StatusIs(kInvalid, "a.json: has 17825792 bytes"));
  EXPECT_THAT(JsonConfig::ReadFile(folder.path() + "/b.json").status(),
              StatusIs(absl::StatusCode::kNotFound, "b.json"));
}

TEST(JsonConfigTest, NumbersHaveARange) {
  JsonConfig config = Config(R"({"a":0.5,"b":1e308})");
  EXPECT_EQ(config.Number("a", 1, 0, 1), 0.5);
  EXPECT_THAT(config.status(), IsOk());
  config.Number("b", 1);
  EXPECT_THAT(config.status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "b 1e+308 is not a number from -1e+09 to 1e+09"));
}

TEST(JsonConfigTest, RefusesFeaturesByName) {
  JsonConfig config = Config(R"({"a":false,"b":"on"})");
  config.RequireUnset("a");
  EXPECT_THAT(config.status(), IsOk());
  config.RequireUnset("b");
  EXPECT_THAT(config.status(),
              StatusIs(absl::StatusCode::kUnimplemented, "b \"on\""));
}

}  // namespace
}  // namespace genzo
