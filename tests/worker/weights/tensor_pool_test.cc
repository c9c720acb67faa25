#include "worker/weights/tensor_pool.h"

#include <filesystem>

#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/model_index.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

class TensorPoolTest : public ::testing::Test {
 protected:
  at::Tensor Read(const std::string& path, const std::string& kind = "T5",
                  at::ScalarType dtype = at::kFloat) const {
    return *InPool(*SafetensorsFile::Open(path), pool_, kind)
                ->Read("a", {.dtype = dtype});
  }

  const TestFolder folder_;
  const std::string path_ =
      folder_.Write("x.safetensors", FloatFile({{"a", {1, 2}}}));
  const std::shared_ptr<TensorPool> pool_ =
      std::make_shared<TensorPool>(at::kCPU);
};

TEST_F(TensorPoolTest, WhatIsInMemoryIsGivenAgain) {
  const at::Tensor first = Read(path_);
  EXPECT_TRUE(Read(path_).is_same(first));
  std::filesystem::create_hard_link(path_, folder_.path() + "/y");
  EXPECT_TRUE(Read(folder_.path() + "/y").is_same(first));
  EXPECT_EQ(pool_->Count(), 1u);
}

TEST_F(TensorPoolTest, OtherFilesTypesAndKindsAreOthers) {
  const at::Tensor first = Read(path_);
  EXPECT_FALSE(Read(path_, "T5", at::kBFloat16).is_same(first));
  EXPECT_FALSE(Read(path_, "VAE").is_same(first));
  folder_.Write("x.safetensors", FloatFile({{"a", {1, 2, 3}}}));
  EXPECT_EQ(Read(path_).numel(), 3);
}

TEST_F(TensorPoolTest, HoldsNothingItself) {
  Read(path_);
  EXPECT_EQ(pool_->Count(), 0u);
  const at::Tensor again = Read(path_);
  EXPECT_EQ(pool_->Count(), 1u);
}

TEST_F(TensorPoolTest, TwoModelsHaveOneAutoencoder) {
  auto index = *OpenModelIndex(TinyModelFolder());
  index.pool = pool_;
  auto other = *OpenModelIndex(TinyModelFolder());
  other.pool = pool_;
  const std::string name = "decoder.conv_in.weight";
  const at::Tensor first = *(*index.FilesOf("vae").OpenTensors())->Read(name);
  EXPECT_TRUE(
      (*other.FilesOf("vae").OpenTensors())->Read(name)->is_same(first));
}

// SD3 has two encoders of one class, in one file as it is published.
TEST_F(TensorPoolTest, EncodersOfOneClassInOneFileAreTwo) {
  const auto tensors = *SafetensorsFile::Open(path_);
  ModelIndex index;
  index.pool = pool_;
  for (const char* name : {"text_encoder", "text_encoder_2"}) {
    index.components[name] = "CLIPTextModelWithProjection";
    index.elsewhere.insert_or_assign(
        name, ComponentFiles(path_, {}, tensors, /*folder=*/""));
  }
  const auto read = [&](const std::string& name) {
    return *(*index.FilesOf(name).OpenTensors())->Read("a");
  };
  const at::Tensor first = read("text_encoder");
  EXPECT_TRUE(read("text_encoder").is_same(first));
  EXPECT_FALSE(read("text_encoder_2").is_same(first));
  EXPECT_NE(index.KeyOf("clip", {"text_encoder"}, Placement()),
            index.KeyOf("clip", {"text_encoder_2"}, Placement()));
}

// FLUX calls it text_encoder_2, SD3 text_encoder_3.
TEST_F(TensorPoolTest, APartIsSharedUnderAnyName) {
  const std::string folder = folder_.path() + "/t5";
  folder_.Write("t5/config.json", "{}");
  folder_.Write("t5/model.safetensors", FloatFile({{"a", {1}}}));
  ModelIndex flux, sd3;
  flux.components["text_encoder_2"] = "T5EncoderModel";
  flux.elsewhere.insert_or_assign("text_encoder_2", ComponentFiles(folder));
  sd3.components["text_encoder_3"] = "T5EncoderModel";
  sd3.elsewhere.insert_or_assign("text_encoder_3", ComponentFiles(folder));
  flux.pool = sd3.pool = pool_;
  int made = 0;
  const auto make = [&]() -> absl::StatusOr<std::shared_ptr<const int>> {
    return std::make_shared<const int>(++made);
  };
  const auto share = [&](const ModelIndex& index, const std::string& name) {
    return *index.ShareOf<int>("t5", {name}, Placement(), make);
  };
  const auto first = share(flux, "text_encoder_2");
  EXPECT_EQ(share(sd3, "text_encoder_3"), first);
  folder_.Write("t5/config.json", R"({"d_model": 8})");
  EXPECT_NE(share(sd3, "text_encoder_3"), first) << "it was changed";
  EXPECT_NE(share(sd3, "nowhere"), share(sd3, "nowhere")) << "no files";
}

}  // namespace
}  // namespace genzo
