#include "worker/codec/latent_decoder.h"

#include <filesystem>

#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;

constexpr char kFactors[] = "model/vae/latent_rgb_factors.json";

class LatentDecoderTest : public ::testing::Test {
 protected:
  LatentDecoderTest() : model_(folder_.CopyTinyModel()) {}

  void AddTinyDecoder() const {
    fs::copy(SourcePath("tests/data/tiny_vae"),
             model_ + "/" + LatentDecoder::kTinyFolder);
  }

  absl::StatusOr<std::unique_ptr<const LatentDecoder>> Load() const {
    return LatentDecoder::Load(*ReadModelIndex(model_), Placement());
  }

  const TestFolder folder_;
  const std::string model_;
};

TEST_F(LatentDecoderTest, NeedsNoMoreThanTheAutoencoder) {
  const auto decoder = Load();
  ASSERT_THAT(decoder, IsOk());
  EXPECT_FALSE((*decoder)->has_tiny());
  const at::Tensor latents = at::randn({2, 4, 3, 5});
  EXPECT_EQ((*decoder)->Linear(latents).sizes(), at::IntArrayRef({2, 3, 3, 5}));
  EXPECT_EQ((*decoder)->Full(latents).sizes(), at::IntArrayRef({2, 3, 24, 40}));
}

TEST_F(LatentDecoderTest, TakesTheSmallDecoderBesideIt) {
  const int64_t without = (*Load())->weight_bytes();
  AddTinyDecoder();
  const auto decoder = Load();
  ASSERT_THAT(decoder, IsOk());
  EXPECT_TRUE((*decoder)->has_tiny());
  EXPECT_GT((*decoder)->weight_bytes(), without);
  EXPECT_EQ((*decoder)->Tiny(at::randn({2, 4, 3, 5})).sizes(),
            at::IntArrayRef({2, 3, 24, 40}));
}

TEST_F(LatentDecoderTest, ASmallDecoderOfAnotherModelIsNamed) {
  AddTinyDecoder();
  const std::string config =
      model_ + "/" + LatentDecoder::kTinyFolder + "/config.json";
  std::string text = ReadFile(config);
  const std::string key = "\"latent_channels\": 4";
  text.replace(text.find(key), key.size(), "\"latent_channels\": 16");
  folder_.Write("model/tiny_vae/config.json", text);
  EXPECT_THAT(Load(), StatusIs(absl::StatusCode::kInvalidArgument,
                               "tiny_vae: latent_channels 16"));
}

TEST_F(LatentDecoderTest, TheCardsFactorsGoBeforeAFit) {
  folder_.Write(kFactors, R"({
    "latent_rgb_factors": [[1, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 0]],
    "latent_rgb_factors_bias": [0.5, 0, 0]})");
  const auto decoder = Load();
  ASSERT_THAT(decoder, IsOk());
  const at::Tensor latent =
      at::tensor({1.f, 10.f, 100.f, 1000.f}).view({1, 4, 1, 1});
  EXPECT_THAT((*decoder)->Linear(latent).flatten(),
              TensorNear(at::tensor({1.5f, 20.f, 300.f}), 0));
}

TEST_F(LatentDecoderTest, BadFactorsAreNamed) {
  const auto with = [&](const std::string& json) {
    folder_.Write(kFactors, json);
    return Load();
  };
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(with("[]"), StatusIs(kInvalid, "latent_rgb_factors.json"));
  EXPECT_THAT(with("{}"), StatusIs(kInvalid, "4 latent channels"));
  EXPECT_THAT(with(R"({"latent_rgb_factors": [[1], [1], [1], [1]]})"),
              StatusIs(kInvalid, "[r, g, b]"));
  EXPECT_THAT(with(R"({"latent_rgb_factors":
                       [[1,1,1], [1,1,1], [1,1,1], [1,1,"x"]]})"),
              StatusIs(kInvalid, "[r, g, b]"));
  EXPECT_THAT(with(R"({"latent_rgb_factors":
                       [[1,1,1], [1,1,1], [1,1,1], [1,1,1]],
                       "latent_rgb_factors_bias": 1})"),
              StatusIs(kInvalid, "latent_rgb_factors_bias"));
}

}  // namespace
}  // namespace genzo
