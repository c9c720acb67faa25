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

}  // namespace
}  // namespace genzo
