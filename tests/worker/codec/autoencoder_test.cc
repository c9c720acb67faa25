#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/random_tensors.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
#include "worker/codec/vq_codec.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

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

TEST(VqModelConfigTest, NamesBadValues) {
  const TestFolder folder;
  const auto read = [&](const std::string& json) {
    return ReadVqModelConfig(folder.Write("config.json", json));
  };
  EXPECT_EQ(read("{}")->code_width, 3);
  EXPECT_EQ(read(R"({"latent_channels":4})")->code_width, 4);
  EXPECT_EQ(read(R"({"vq_embed_dim":2})")->code_width, 2);
  EXPECT_THAT(read(R"({"lookup_from_codebook":true})"), IsOk());
  EXPECT_THAT(read(R"({"norm_type":"spatial"})"),
              StatusIs(absl::StatusCode::kUnimplemented, "norm_type"));
  EXPECT_THAT(
      read(R"({"num_vq_embeddings":0})"),
      StatusIs(absl::StatusCode::kInvalidArgument, "num_vq_embeddings"));
}

// The smallest there is: one level, no attention.
class VqCodecTest : public ::testing::Test {
 protected:
  VqCodecTest() {
    folder_.Write("model_index.json", R"({"_class_name":"LDMPipeline",)"
                                      R"("vqvae":["diffusers","VQModel"]})");
    folder_.Write("vqvae/config.json",
                  R"({"block_out_channels":[4,4],"norm_num_groups":2,)"
                  R"("down_block_types":["DownEncoderBlock2D",)"
                  R"("DownEncoderBlock2D"],"up_block_types":)"
                  R"(["UpDecoderBlock2D","UpDecoderBlock2D"],)"
                  R"("mid_block_add_attention":false,"vq_embed_dim":2,)"
                  R"("num_vq_embeddings":3,"scaling_factor":0.5})");
    RandomTensors tensors;
    const auto conv = [&](const std::string& name, int64_t out, int64_t in,
                          int64_t kernel) {
      tensors.Add(name + ".weight", {out, in, kernel, kernel});
      tensors.Add(name + ".bias", {out});
    };
    const auto resnet = [&](const std::string& name) {
      for (const char* half : {"1", "2"}) {
        tensors.AddNorm(name + ".norm" + half, 4);
        conv(name + ".conv" + half, 4, 4, 3);
      }
    };
    for (const std::string half : {"encoder", "decoder"}) {
      conv(half + ".conv_in", 4, 3, 3);
      conv(half + ".conv_out", 3, 4, 3);
      tensors.AddNorm(half + ".conv_norm_out", 4);
      resnet(half + ".mid_block.resnets.0");
      resnet(half + ".mid_block.resnets.1");
    }
    for (const std::string level : {"0", "1"}) {
      resnet("encoder.down_blocks." + level + ".resnets.0");
      resnet("decoder.up_blocks." + level + ".resnets.0");
      resnet("decoder.up_blocks." + level + ".resnets.1");
    }
    conv("encoder.down_blocks.0.downsamplers.0.conv", 4, 4, 3);
    conv("decoder.up_blocks.0.upsamplers.0.conv", 4, 4, 3);
    conv("quant_conv", 2, 3, 1);
    conv("post_quant_conv", 3, 2, 1);
    tensors.Add("quantize.embedding.weight", {3, 2}, /*deviation=*/2);
    tensors.Write(folder_.path() + "/vqvae",
                  "diffusion_pytorch_model.safetensors");
  }

  const TestFolder folder_;
};

TEST_F(VqCodecTest, DecodesThroughTheNearestCodes) {
  const auto codec =
      VqCodec::Load(*ReadModelIndex(folder_.path()), "vqvae", Placement());
  ASSERT_THAT(codec, IsOk());
  const at::Tensor numbers = at::tensor({2, 0}, at::kLong).view({1, 1, 2});
  const at::Tensor codes = (*codec)->CodesAt(numbers);  // [1, 2, 1, 2]
  const at::Tensor near = codes + 1e-3;
  EXPECT_THAT((*codec)->NearestCodes(near), TensorEquals(numbers));
  EXPECT_THAT((*codec)->Decode((*codec)->Scale(near)),
              TensorEquals((*codec)->Decode((*codec)->Scale(codes))));
  const LatentDistribution put =
      (*codec)->Encode(at::randn({2, 3, 6, 4}).clamp(-1, 1));
  EXPECT_EQ(put.mean.sizes(), at::IntArrayRef({2, 2, 3, 2}));
  EXPECT_EQ(put.deviation.abs().max().item<float>(), 0);
  EXPECT_EQ((*codec)->Preview(near, PreviewKind::kLinear).sizes(),
            at::IntArrayRef({1, 3, 1, 2}));
}

// The tiny model's upsampling layers, in the type that the test names.
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
  EXPECT_EQ(read("{}")->upsampling(), 8);
  EXPECT_THAT(read(R"({"act_fn":"tanh"})"), StatusIs(kUnimplemented, "act_fn"));
  EXPECT_THAT(read(R"({"num_decoder_blocks":[1]})"),
              StatusIs(kInvalid, "num_decoder_blocks"));
  EXPECT_THAT(read(R"({"decoder_block_out_channels":[8,8,8,8,8,8,8,8,8],
                       "num_decoder_blocks":[1,1,1,1,1,1,1,1,1]})"),
              StatusIs(kInvalid, "9 levels"));
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
