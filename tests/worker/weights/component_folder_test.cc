#include "worker/weights/component_folder.h"

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/model_index.h"

namespace genzo {
namespace {

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

// The one value of the tensor "a" that OpenTensors finds.
float Found(const TestFolder& folder) {
  return (*(*OpenTensors(folder.path()))->Read("a")).item<float>();
}

TEST(ComponentFolderTest, PrefersOneFileThenShardsThenHalfPrecision) {
  const TestFolder folder;
  folder.Write("model.safetensors.index.fp16.json",
               R"({"weight_map": {"a": "model.fp16-00001.safetensors"}})");
  folder.Write("model.fp16-00001.safetensors", FloatFile({{"a", {1}}}));
  EXPECT_EQ(Found(folder), 1);
  folder.Write("model.fp16.safetensors", FloatFile({{"a", {2}}}));
  EXPECT_EQ(Found(folder), 2);
  folder.Write("model.fp32.safetensors", FloatFile({{"a", {2.5}}}));
  EXPECT_EQ(Found(folder), 2.5);
  folder.Write("model.safetensors.index.json",
               R"({"weight_map": {"a": "model-00001.safetensors"}})");
  folder.Write("model-00001.safetensors", FloatFile({{"a", {3}}}));
  EXPECT_EQ(Found(folder), 3);
  folder.Write("model.safetensors", FloatFile({{"a", {4}}}));
  EXPECT_EQ(Found(folder), 4);
  folder.Write("diffusion_pytorch_model.safetensors", FloatFile({{"a", {5}}}));
  EXPECT_EQ(Found(folder), 5);
}

TEST(ComponentFolderTest, FindsDiffusersShards) {
  for (const char* index :
       {"diffusion_pytorch_model.safetensors.index.json",
        "diffusion_pytorch_model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.fp16.safetensors.index.json"}) {
    const TestFolder folder;
    folder.Write(index, R"({"weight_map": {"a": "1.safetensors"}})");
    folder.Write("1.safetensors", FloatFile({{"a", {7}}}));
    EXPECT_EQ(Found(folder), 7) << index;
  }
}

// In one file as in shards.
TEST(ComponentFolderTest, ScaledFloat8HasItsTrueValues) {
  const nlohmann::json header = {
      {"a.weight",
       {{"dtype", "F8_E4M3"}, {"shape", {1}}, {"data_offsets", {4, 5}}}},
      {"a.weight_scale",
       {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}}}};
  // 0.5 and 2.
  const std::string file =
      TensorFile(header.dump(), 0) + std::string("\0\0\0\x3F\x40", 5);
  for (const bool sharded : {false, true}) {
    const TestFolder folder;
    folder.Write(sharded ? "1.safetensors" : "model.safetensors", file);
    if (sharded) {
      folder.Write("model.safetensors.index.json",
                   R"({"weight_map": {"a.weight": "1.safetensors",
                                      "a.weight_scale": "1.safetensors"}})");
    }
    const auto tensors = OpenTensors(folder.path());
    ASSERT_THAT(tensors, IsOk());
    EXPECT_EQ((*tensors)->entries().size(), 1u);
    EXPECT_EQ((*tensors)->Read("a.weight")->item<float>(), 1);
  }
}

TEST(ComponentFolderTest, AComponentWithoutItsFolderIsNamed) {
  const TestFolder folder;
  folder.Write("model_index.json",
               R"({"_class_name": "P", "unet": ["diffusers", "UNet"]})");
  const auto index = ReadModelIndex(folder.path());
  ASSERT_THAT(index, IsOk());
  EXPECT_EQ(index->pipeline_class, "P");
  EXPECT_FALSE(index->Has("unet"));
  EXPECT_THAT(index->Component("unet", "UNet"),
              StatusIs(absl::StatusCode::kNotFound, folder.path() + "/unet"));
}

}  // namespace
}  // namespace genzo
