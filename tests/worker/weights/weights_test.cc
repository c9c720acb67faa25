#include "worker/weights/weights.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

Weights TinyVae() {
  return *OpenWeights(TinyModelFolder() + "/vae", at::kFloat, at::kCPU);
}

TEST(WeightsTest, FindsTensorsByPath) {
  const Weights weights = TinyVae();
  const Weights conv = weights["decoder"]["conv_in"];
  EXPECT_TRUE(conv.Has("weight"));
  EXPECT_FALSE(conv.Has("nothing"));
  EXPECT_EQ(conv.Get("bias", {16}).sizes(), at::IntArrayRef({16}));
  EXPECT_EQ(weights.taken_bytes(), 16 * 4);
}

TEST(WeightsTest, CastsAndCopies) {
  const Weights weights =
      *OpenWeights(TinyModelFolder() + "/vae", at::kBFloat16, at::kCPU);
  EXPECT_EQ(weights["decoder"]["conv_in"].Get("bias", {16}).scalar_type(),
            at::kBFloat16);
}

TEST(WeightsTest, KeepsTheFirstFault) {
  const Weights weights = TinyVae();
  weights["decoder"]["conv_in"].Get("bias", {17});
  weights["decoder"].Get("nonsense", {1});
  EXPECT_THAT(weights.Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "tensor \"decoder.conv_in.bias\" has shape [16], the "
                       "configuration needs [17]"));
}

TEST(WeightsTest, NamesMissingTensors) {
  const Weights weights = TinyVae();
  weights.At("decoder", 3).Get("nonsense", {1});
  EXPECT_THAT(weights.Finish(), StatusIs(absl::StatusCode::kNotFound,
                                         "\"decoder.3.nonsense\" is missing"));
}

TEST(WeightsTest, NamesTensorsThatNobodyTook) {
  EXPECT_THAT(TinyVae().Finish(),
              StatusIs(absl::StatusCode::kInvalidArgument, "has no place"));
}

TEST(ComponentFolderTest, SaysThatPicklesAreNotRead) {
  const TestFolder folder;
  folder.Write("pytorch_model.bin", "x");
  EXPECT_THAT(OpenWeights(folder.path(), at::kFloat, at::kCPU).status(),
              StatusIs(absl::StatusCode::kNotFound, "not read"));
}

TEST(ComponentFolderTest, NamesWhatIsMissing) {
  EXPECT_THAT(ReadModelIndex("/nowhere").status(),
              StatusIs(absl::StatusCode::kNotFound, "/nowhere"));
  const auto index = ReadModelIndex(TinyModelFolder());
  ASSERT_THAT(index, IsOk());
  EXPECT_THAT(index->Component("unet", "OtherModel"),
              StatusIs(absl::StatusCode::kUnimplemented,
                       "has class UNet2DConditionModel, not OtherModel"));
  EXPECT_THAT(index->Component("prior", "PriorModel"),
              StatusIs(absl::StatusCode::kNotFound, "prior is missing"));
}

JsonConfig Config(const std::string& text) {
  return JsonConfig(JsonConfig::Parse(text), "test.json");
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

TEST(JsonConfigTest, ReadsPythonsInfinities) {
  const auto json = JsonConfig::Parse(
      R"({"a":-Infinity,"b":NaN,"c":"-Infinity \" NaN","d":[Infinity]})");
  ASSERT_TRUE(json.is_object());
  EXPECT_TRUE(json["a"].is_null());
  EXPECT_EQ(json["c"], "-Infinity \" NaN");
  EXPECT_TRUE(json["d"][0].is_null());
}

TEST(JsonConfigTest, SurvivesDeepNesting) {
  const TestFolder folder;
  const std::string deep = std::string(300000, '[') + std::string(300000, ']');
  auto config =
      JsonConfig::ReadFile(folder.Write("a.json", "{\"a\":" + deep + "}"));
  ASSERT_THAT(config, IsOk());
  config->Int("a", 0);
  EXPECT_THAT(config->status(),
              StatusIs(absl::StatusCode::kInvalidArgument, "a [...] is not"));
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
