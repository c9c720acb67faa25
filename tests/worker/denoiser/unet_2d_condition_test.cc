#include "worker/denoiser/unet_2d_condition.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/randn.h"
#include "absl/strings/match.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

class UNetTest : public ::testing::Test {
 protected:
  UNetTest()
      : folder_(TinyModelFolder() + "/unet"),
        weights_(*OpenWeights(folder_, at::kFloat, at::kCPU)),
        unet_(*ReadUNet2DConditionConfig(folder_ + "/config.json"), weights_) {}

  at::Tensor Run(const at::Tensor& sample, const std::vector<float>& times,
                 const at::Tensor& tokens) const {
    return Predict(unet_, sample, times, **unet_.Prepare({.tokens = tokens}));
  }

  c10::InferenceMode inference_;
  const std::string folder_;
  const Weights weights_;
  const UNet2DConditionModel unet_;
};

TEST_F(UNetTest, TakesEveryTensorOfItsFile) {
  EXPECT_THAT(weights_.Finish(), IsOk());
}

TEST_F(UNetTest, KeepsAnySize) {
  for (const auto& [height, width] :
       std::vector<std::pair<int64_t, int64_t>>{{8, 8}, {5, 9}, {1, 1}}) {
    const at::Tensor sample = at::randn({2, 4, height, width});
    const at::Tensor out = Run(sample, {500.0f, 500.0f}, at::randn({2, 77, 8}));
    EXPECT_EQ(out.sizes(), sample.sizes());
  }
}

TEST_F(UNetTest, RowsDoNotSeeEachOther) {
  const at::Tensor sample = at::randn({3, 4, 8, 8});
  const std::vector<float> times = {10.0f, 500.0f, 990.0f};
  const at::Tensor tokens = at::randn({3, 77, 8});
  const at::Tensor together = Run(sample, times, tokens);
  for (int64_t row = 0; row < 3; ++row) {
    const at::Tensor alone =
        Run(sample.narrow(0, row, 1), {times[row]}, tokens.narrow(0, row, 1));
    EXPECT_THAT(together.narrow(0, row, 1), TensorEquals(alone));
  }
}

TEST_F(UNetTest, PreparesKeysAndValuesOfEveryLayer) {
  const auto prepared = unet_.Prepare({.tokens = at::randn({2, 77, 8})});
  ASSERT_THAT(prepared, IsOk());
  EXPECT_EQ((*prepared)->rows, 2);
  ASSERT_FALSE((*prepared)->tensors.empty());
  EXPECT_EQ((*prepared)->tensors.size() % 2, 0u);
  for (const at::Tensor& tensor : (*prepared)->tensors) {
    EXPECT_EQ(tensor.size(0), 2);
    EXPECT_EQ(tensor.size(1), 77);
  }
}

// Of every layer that the checkpoint has under the names that adapters use.
TEST_F(UNetTest, RowsWithDifferentAdaptersShareAnEvaluation) {
  const auto adapter = [&](double scale) {
    auto set = std::make_shared<AdapterSet>();
    const auto file = OpenTensors(folder_);
    for (const auto& [name, entry] : (*file)->entries()) {
      if (!absl::EndsWith(name, ".weight") || entry.shape.size() == 1) continue;
      std::vector<int64_t> down = entry.shape;
      down[0] = 2;
      std::vector<int64_t> up(entry.shape.size(), 1);
      up[0] = entry.shape[0];
      up[1] = 2;
      set->layers[name.substr(0, name.size() - 7)] = {
          {at::randn(down) * 0.1, at::randn(up) * 0.1, scale}};
    }
    return set;
  };
  const at::Tensor tokens = at::randn({1, 77, 8});
  const PreparedRef plain = *unet_.Prepare({.tokens = tokens});
  const PreparedRef a =
      *unet_.Prepare({.tokens = tokens, .adapters = adapter(1)});
  const PreparedRef b =
      *unet_.Prepare({.tokens = tokens, .adapters = adapter(2)});
  const at::Tensor sample = at::randn({3, 4, 8, 8});
  PreparedJoiner joiner;
  const at::Tensor together = Predict(unet_, sample, {500.0f, 400.0f, 300.0f},
                                      *joiner.Join({plain, a, b}));
  const auto alone = [&](int64_t row, float time, const PreparedRef& prepared) {
    return Predict(unet_, sample.narrow(0, row, 1), {time}, *prepared);
  };
  EXPECT_THAT(together.narrow(0, 0, 1), TensorEquals(alone(0, 500.0f, plain)));
  EXPECT_THAT(together.narrow(0, 1, 1), TensorEquals(alone(1, 400.0f, a)));
  EXPECT_THAT(together.narrow(0, 2, 1), TensorEquals(alone(2, 300.0f, b)));
  EXPECT_GT((alone(1, 400.0f, a) - alone(1, 400.0f, plain))
                .abs()
                .max()
                .item<double>(),
            1e-3);
}

TEST_F(UNetTest, WhatItDoesNotTakeIsRefusedByName) {
  const at::Tensor tokens = at::randn({1, 77, 8});
  EXPECT_THAT(unet_.Prepare({.tokens = tokens, .token_mask = tokens}),
              StatusIs(kInvalid, "token_mask"));
  EXPECT_THAT(unet_.Prepare({.tokens = tokens, .pooled = tokens}),
              StatusIs(kInvalid, "pooled"));
  EXPECT_THAT(unet_.Prepare({.tokens = tokens, .numbers = tokens}),
              StatusIs(kInvalid, "numbers"));
  EXPECT_THAT(unet_.Prepare({.tokens = tokens, .image = tokens}),
              StatusIs(kInvalid, "image"));
  EXPECT_THAT(
      unet_.Prepare({.tokens = tokens, .image = at::randn({1, 5, 8, 8})}),
      StatusIs(kInvalid, "takes 0 channels"));
  EXPECT_THAT(unet_.Prepare({.tokens = tokens, .numbers = at::randn({1, 6})}),
              StatusIs(kInvalid, "numbers has 6 columns, this U-Net takes 0"));
  EXPECT_THAT(unet_.Prepare({}), StatusIs(kInvalid, "tokens"));
}

TEST_F(UNetTest, ShapesThatDifferDoNotShareAnEvaluation) {
  const auto key = [&](at::IntArrayRef sample, int64_t tokens) {
    return unet_.KeyOf(sample,
                       **unet_.Prepare({.tokens = at::randn({1, tokens, 8})}));
  };
  EXPECT_EQ(key({4, 8, 8}, 77), key({4, 8, 8}, 77));
  EXPECT_NE(key({4, 8, 8}, 77), key({4, 8, 9}, 77));
  EXPECT_NE(key({4, 8, 8}, 77), key({4, 8, 8}, 154));
}

TEST(UNetConfigTest, NamesWhatIsNotSupported) {
  const TestFolder folder;
  const auto read = [&](const std::string& json) {
    return ReadUNet2DConditionConfig(folder.Write("config.json", json));
  };
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  EXPECT_THAT(read("{}"), IsOk());
  EXPECT_THAT(read(R"({"addition_embed_type":"image"})"),
              StatusIs(kUnimplemented, "addition_embed_type"));
  EXPECT_THAT(read(R"({"addition_embed_type":"text_time"})"),
              StatusIs(kInvalid, "addition_time_embed_dim"));
  EXPECT_THAT(read(R"({"addition_embed_type":"text_time",
               "addition_time_embed_dim":256})"),
              StatusIs(kInvalid, "projection_class_embeddings_input_dim"));
  EXPECT_THAT(read(R"({"class_embed_type":"identity"})"),
              StatusIs(kUnimplemented, "class_embed_type"));
  EXPECT_THAT(read(R"({"act_fn":"gelu_new"})"),
              StatusIs(kUnimplemented, "act_fn \"gelu_new\""));
  EXPECT_EQ(read(R"({"act_fn":"mish"})")->resnet.activation, Activation::kMish);
  EXPECT_EQ(read(R"({"sample_size":[48,72]})")->sample_size.width, 72);
  EXPECT_THAT(read(R"({"sample_size":[48,0]})"),
              StatusIs(kInvalid, "sample_size"));
  EXPECT_THAT(read(R"({"down_block_types":["KDownBlock2D"]})"),
              StatusIs(kUnimplemented, "down_block_types"));
  EXPECT_THAT(read(R"({"block_out_channels":[32,64]})"),
              StatusIs(kInvalid, "block_out_channels"));
  EXPECT_THAT(read(R"({"norm_num_groups":7})"),
              StatusIs(kInvalid, "norm_num_groups 7"));
  EXPECT_THAT(read(R"({"attention_head_dim":[5,10,20]})"),
              StatusIs(kInvalid, "attention_head_dim"));
  EXPECT_THAT(read(R"({"mid_block_type":"Other"})"),
              StatusIs(kUnimplemented, "mid_block_type"));
}

// As SSD-1B has them: a number a transformer, and other ones on the way up.
TEST(UNetConfigTest, ReadsTransformersOfDifferentDepths) {
  const TestFolder folder;
  const auto read = [&](const std::string& layers) {
    return ReadUNet2DConditionConfig(folder.Write("config.json", R"({
        "block_out_channels": [32, 64, 64], "attention_head_dim": 4,
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D",
                             "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
                           "UpBlock2D"],
        "mid_block_type": "UNetMidBlock2D", )" + layers + "}"));
  };
  using Layers = std::vector<std::vector<int64_t>>;
  const auto nested = read(R"(
      "transformer_layers_per_block": [0, [2, 2], [4, 4]],
      "reverse_transformer_layers_per_block": [[4, 4, 7], [2, 1, 1], 1])");
  ASSERT_THAT(nested, IsOk());
  EXPECT_EQ(nested->down_transformer_layers, (Layers{{}, {2, 2}, {4, 4}}));
  EXPECT_EQ(nested->up_transformer_layers, (Layers{{4, 4, 7}, {2, 1, 1}, {}}));
  const auto flat = read(R"("transformer_layers_per_block": [1, 2, 10])");
  ASSERT_THAT(flat, IsOk());
  EXPECT_EQ(flat->up_transformer_layers, (Layers{{10, 10, 10}, {2, 2, 2}, {}}));
  EXPECT_THAT(read(R"("transformer_layers_per_block": [1, [2, 2], [4, 4]])"),
              StatusIs(absl::StatusCode::kInvalidArgument, "a list of 3"));
  EXPECT_THAT(read(R"("transformer_layers_per_block": [1, 2])"),
              StatusIs(absl::StatusCode::kInvalidArgument, "3 entries"));
  EXPECT_THAT(read(R"("transformer_layers_per_block": [1, 2, -3])"),
              StatusIs(absl::StatusCode::kInvalidArgument, "from 1 to"));
}

TEST(UNetConfigTest, TellsNoMidBlockFromTheDefault) {
  const TestFolder folder;
  EXPECT_TRUE(ReadUNet2DConditionConfig(folder.Write("a", "{}"))->mid_exists);
  EXPECT_FALSE(
      ReadUNet2DConditionConfig(folder.Write("b", R"({"mid_block_type":null})"))
          ->mid_exists);
}

}  // namespace
}  // namespace genzo
