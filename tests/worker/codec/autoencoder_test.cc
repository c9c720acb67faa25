#include "ATen/ops/full.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/tensor.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/codec/autoencoder_kl.h"
#include "worker/codec/autoencoder_tiny.h"
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
