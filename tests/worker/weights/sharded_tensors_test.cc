#include "worker/weights/sharded_tensors.h"

#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"

namespace genzo {
namespace {

class ShardedTensorsTest : public ::testing::Test {
 protected:
  ShardedTensorsTest() {
    folder_.Write("1.safetensors", FloatFile({{"a", {1}}, {"b", {2, 3}}}));
    folder_.Write("2.safetensors", FloatFile({{"c", {4}}, {"extra", {5}}}));
  }

  absl::StatusOr<std::shared_ptr<const TensorSource>> Open(
      const std::string& weight_map) const {
    return ShardedTensors::Open(folder_.Write(
        "index.json", R"({"metadata": {}, "weight_map": )" + weight_map + "}"));
  }

  const TestFolder folder_;
};

TEST_F(ShardedTensorsTest, FindsTensorsInTheirShards) {
  const auto tensors = Open(R"({"a": "1.safetensors", "b": "1.safetensors",
                                "c": "2.safetensors"})");
  ASSERT_THAT(tensors, IsOk());
  EXPECT_EQ((*tensors)->entries().size(), 3u) << "those of the map";
  EXPECT_THAT(*(*tensors)->Read("b"), TensorEquals(at::tensor({2.f, 3.f})));
  EXPECT_THAT(*(*tensors)->Read("c"), TensorEquals(at::tensor({4.f})));
  EXPECT_THAT((*tensors)->Read("extra"),
              StatusIs(absl::StatusCode::kNotFound,
                       "index.json: tensor \"extra\" is missing"));
}

TEST_F(ShardedTensorsTest, AMissingShardIsNamed) {
  EXPECT_THAT(
      Open(R"({"a": "1.safetensors", "b": "3.safetensors"})"),
      StatusIs(absl::StatusCode::kNotFound,
               folder_.path() + "/index.json: shard \"3.safetensors\""));
}

TEST_F(ShardedTensorsTest, ATensorInTheWrongShardIsNamed) {
  EXPECT_THAT(Open(R"({"a": "1.safetensors", "c": "1.safetensors"})"),
              StatusIs(kInvalid, "index.json: tensor \"c\" is not in " +
                                     folder_.path() + "/1.safetensors"));
}

TEST_F(ShardedTensorsTest, AnUnsoundShardIsNamed) {
  folder_.Write("3.safetensors", "garbage");
  EXPECT_THAT(Open(R"({"a": "3.safetensors"})"),
              StatusIs(kInvalid, "shard \"3.safetensors\""));
}

TEST_F(ShardedTensorsTest, ShardsLieBesideTheirIndex) {
  folder_.Write("inner/x.safetensors", FloatFile({{"a", {1}}}));
  const std::string absolute = folder_.path() + "/1.safetensors";
  for (const std::string& name :
       {absolute, std::string("../1.safetensors"), std::string(".."),
        std::string("inner/x.safetensors"), std::string("./1.safetensors"),
        std::string()}) {
    EXPECT_THAT(Open(R"({"a": ")" + name + R"("})"),
                StatusIs(kInvalid, "shard \"" + name +
                                       "\": is not the plain name of a file"));
  }
}

TEST_F(ShardedTensorsTest, AMapThatIsNoneIsNamed) {
  for (const char* map : {"[]", "{}", "5"}) {
    EXPECT_THAT(Open(map), StatusIs(kInvalid, "index.json: weight_map is not"));
  }
  EXPECT_THAT(Open(R"({"a": 5})"), StatusIs(kInvalid, "tensor \"a\" has no"));
}

TEST_F(ShardedTensorsTest, ThereAreNotEndlesslyManyShards) {
  std::string map;
  for (int i = 0; i < 300; ++i) {
    const std::string name = std::to_string(i);
    folder_.Write(name, FloatFile({{name, {1}}}));
    map += (i == 0 ? "{\"" : ",\"") + name + "\":\"" + name + "\"";
  }
  EXPECT_THAT(Open(map + "}"), StatusIs(kInvalid, "more than 256 shards"));
}

}  // namespace
}  // namespace genzo
