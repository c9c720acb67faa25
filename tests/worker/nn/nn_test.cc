#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

class UNetTest : public ::testing::Test {
 protected:
  UNetTest()
      : folder_(TinyModelFolder() + "/unet"),
        weights_(*OpenWeights(folder_, at::kFloat, at::kCPU)),
        unet_(*ReadUNet2DConditionConfig(folder_ + "/config.json"), weights_) {}

  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                     const at::Tensor& context) const {
    return unet_.forward(sample, unet_.ProjectTimes(timesteps),
                         unet_.ProjectContext(context));
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
    const at::Tensor out =
        Forward(sample, at::full({2}, 500.0f), at::randn({2, 77, 8}));
    EXPECT_EQ(out.sizes(), sample.sizes());
  }
}

TEST_F(UNetTest, RowsDoNotSeeEachOther) {
  const at::Tensor sample = at::randn({3, 4, 8, 8});
  const at::Tensor timesteps = at::tensor({10.0f, 500.0f, 990.0f});
  const at::Tensor context = at::randn({3, 77, 8});
  const at::Tensor together = Forward(sample, timesteps, context);
  for (int64_t row = 0; row < 3; ++row) {
    const at::Tensor alone =
        Forward(sample.narrow(0, row, 1), timesteps.narrow(0, row, 1),
                context.narrow(0, row, 1));
    EXPECT_THAT(together.narrow(0, row, 1), TensorEquals(alone));
  }
}

TEST(UNetConfigTest, NamesWhatIsNotSupported) {
  const TestFolder folder;
  const auto read = [&](const std::string& json) {
    return ReadUNet2DConditionConfig(folder.Write("config.json", json));
  };
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(read("{}"), IsOk());
  EXPECT_THAT(read(R"({"addition_embed_type":"text_time"})"),
              StatusIs(kUnimplemented, "addition_embed_type"));
  EXPECT_THAT(read(R"({"act_fn":"mish"})"),
              StatusIs(kUnimplemented, "act_fn \"mish\""));
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

TEST(UNetConfigTest, TellsNoMidBlockFromTheDefault) {
  const TestFolder folder;
  EXPECT_TRUE(ReadUNet2DConditionConfig(folder.Write("a", "{}"))->mid_exists);
  EXPECT_FALSE(
      ReadUNet2DConditionConfig(folder.Write("b", R"({"mid_block_type":null})"))
          ->mid_exists);
}

TEST(TimestepEmbeddingTest, OrdersSinesAndCosines) {
  const at::Tensor zero = at::full({1}, 0.0f);
  const at::Tensor cos_first =
      ProjectTimesteps(zero, {.dim = 4, .flip_sin_to_cos = true});
  EXPECT_THAT(cos_first,
              TensorEquals(at::tensor({1.f, 1.f, 0.f, 0.f}).unsqueeze(0)));
  const at::Tensor sin_first =
      ProjectTimesteps(zero, {.dim = 4, .flip_sin_to_cos = false});
  EXPECT_THAT(sin_first,
              TensorEquals(at::tensor({0.f, 0.f, 1.f, 1.f}).unsqueeze(0)));
}

TEST(AutoencoderKLConfigTest, NamesBadValues) {
  const TestFolder folder;
  const auto read = [&](const std::string& json) {
    return ReadAutoencoderKLConfig(folder.Write("config.json", json));
  };
  EXPECT_THAT(read(R"({"scaling_factor":0})"),
              StatusIs(absl::StatusCode::kInvalidArgument, "scaling_factor"));
  EXPECT_THAT(read(R"({"up_block_types":["Other"]})"),
              StatusIs(absl::StatusCode::kUnimplemented, "up_block_types"));
  EXPECT_EQ(read("{}")->scaling_factor, 0.18215);
}

// The tiny model's upsampling layers, in the type that the test names.
class Upsample2DTest : public ::testing::TestWithParam<at::ScalarType> {
 protected:
  Upsample2DTest()
      : weights_(
            *OpenWeights(TinyModelFolder() + "/vae", GetParam(), at::kCPU)),
        layer_(weights_["decoder"].At("up_blocks", 0).At("upsamplers", 0),
               /*channels=*/16) {}

  at::Tensor Random(int64_t height, int64_t width) const {
    return at::randn({2, 16, height, width})
        .to(GetParam())
        .contiguous(at::MemoryFormat::ChannelsLast);
  }
  at::Tensor Plain(const at::Tensor& x, at::IntArrayRef size) const {
    return layer_.conv.forward(at::upsample_nearest2d(x, size));
  }

  c10::InferenceMode inference_;
  const Weights weights_;
  const Upsample2D layer_;
};

TEST_P(Upsample2DTest, DoublingEqualsEnlargingAndConvolving) {
  const double bound = GetParam() == at::kFloat ? 2e-6 : 2e-2;
  for (const auto& [height, width] : std::vector<std::pair<int64_t, int64_t>>{
           {8, 8}, {5, 3}, {1, 4}, {1, 1}}) {
    const at::Tensor x = Random(height, width);
    const at::Tensor y = layer_.forward(x, {2 * height, 2 * width});
    EXPECT_THAT(
        y.to(at::kFloat),
        TensorNear(Plain(x, {2 * height, 2 * width}).to(at::kFloat), bound));
    EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
    EXPECT_THAT(layer_.forward(x.narrow(0, 1, 1), {2 * height, 2 * width}),
                TensorEquals(y.narrow(0, 1, 1)))
        << "alone";
  }
}

TEST_P(Upsample2DTest, OtherSizesAreEnlarged) {
  const at::Tensor x = Random(4, 5);
  EXPECT_THAT(layer_.forward(x, {7, 10}), TensorEquals(Plain(x, {7, 10})));
}

INSTANTIATE_TEST_SUITE_P(Types, Upsample2DTest,
                         ::testing::Values(at::kFloat, at::kBFloat16));

class AutoencoderTinyTest : public ::testing::Test {
 protected:
  AutoencoderTinyTest()
      : folder_(SourcePath("tests/data/tiny_vae")),
        weights_(*OpenWeights(folder_, at::kFloat, at::kCPU)),
        golden_(*SafetensorsFile::Open(folder_ + "/golden.safetensors")) {}

  c10::InferenceMode inference_;
  const std::string folder_;
  const Weights weights_;
  const std::shared_ptr<const SafetensorsFile> golden_;
};

TEST_F(AutoencoderTinyTest, DecodesAsTheReference) {
  const AutoencoderTiny vae(
      *ReadAutoencoderTinyConfig(folder_ + "/config.json"), weights_);
  EXPECT_THAT(weights_.Finish(), IsOk());  // the encoder is not missed
  EXPECT_THAT(vae.decode(*golden_->Read("latents")),
              TensorNear(*golden_->Read("pixels"), 1e-5));
}

TEST_F(AutoencoderTinyTest, NamesTheTensorThatDoesNotFit) {
  const AutoencoderTiny vae(
      {.decoder_block_out_channels = {8, 8}, .num_decoder_blocks = {2, 1}},
      weights_);
  EXPECT_THAT(weights_.Finish(),
              StatusIs(absl::StatusCode::kNotFound, "decoder.layers.7."));
}

TEST(AutoencoderTinyConfigTest, NamesBadValues) {
  const TestFolder folder;
  const auto read = [&](const std::string& json) {
    return ReadAutoencoderTinyConfig(folder.Write("config.json", json));
  };
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_EQ(read("{}")->upsampling(), 8);
  EXPECT_THAT(read(R"({"act_fn":"mish"})"), StatusIs(kUnimplemented, "act_fn"));
  EXPECT_THAT(read(R"({"num_decoder_blocks":[1]})"),
              StatusIs(kInvalid, "num_decoder_blocks"));
  EXPECT_THAT(read(R"({"decoder_block_out_channels":[8,8,8,16]})"),
              StatusIs(kInvalid, "decoder_block_out_channels"));
  EXPECT_THAT(read(R"({"scaling_factor":0})"),
              StatusIs(kInvalid, "scaling_factor"));
  EXPECT_THAT(read(R"({"shift_factor":0.1})"),
              StatusIs(kUnimplemented, "shift_factor"));
  EXPECT_THAT(read(R"({"upsampling_scaling_factor":4})"),
              StatusIs(kUnimplemented, "upsampling_scaling_factor"));
}

}  // namespace
}  // namespace genzo
