#include "worker/denoiser/k_unet.h"

#include <cmath>

#include "ATen/ops/cat.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "nlohmann/json.hpp"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/denoiser/transformer_test.h"
#include "worker/weights/component_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

constexpr auto kUnimplemented = absl::StatusCode::kUnimplemented;

const std::string& Folder() {
  static const auto& folder =
      *new std::string(SourcePath("tests/data/latent_upscaler"));
  return folder;
}

class KUNetTest : public ::testing::Test {
 protected:
  KUNetTest()
      : golden_(*SafetensorsFile::Open(Folder() + "/golden.safetensors")),
        weights_(*OpenWeights(Folder() + "/unet", at::kFloat, at::kCPU)),
        // Of the golden's one time: its sigma is that of timestep 0.
        network_(
            *ReadKUNetConfig(Folder() + "/unet/config.json"),
            {AlphaOf(std::exp(4 * Golden("net.in.timestep").item<float>()))},
            weights_) {}

  static float AlphaOf(float sigma) { return 1 / (1 + sigma * sigma); }
  at::Tensor Golden(const std::string& name) const {
    return *golden_->Read(name);
  }
  // Its two rows.
  Conditioning Recorded() const {
    return {.tokens = Golden("net.in.encoder_hidden_states"),
            .pooled = Golden("net.in.timestep_cond"),
            .image = Golden("net.in.sample").narrow(1, 4, 4)};
  }

  c10::InferenceMode inference_;
  const std::shared_ptr<const SafetensorsFile> golden_;
  const Weights weights_;
  const KUNet network_;
};

TEST_F(KUNetTest, PredictsAsTheReference) {
  ASSERT_THAT(weights_.Finish(), IsOk());
  const auto prepared = network_.Prepare(Recorded());
  ASSERT_THAT(prepared, IsOk());
  const at::Tensor velocity = Predict(
      network_, Golden("net.in.sample").narrow(1, 0, 4), {0, 0}, **prepared);
  EXPECT_THAT(velocity, TensorNear(-Golden("net.out").narrow(1, 0, 4), 5e-4));
}

TEST_F(KUNetTest, RowsAreOnTheirOwn) {
  const auto both = network_.Prepare(Recorded());
  ASSERT_THAT(both, IsOk());
  const at::Tensor sample =
      Golden("net.in.sample").narrow(1, 0, 4) + at::randn({2, 4, 16, 16});
  const at::Tensor together = Predict(network_, sample, {0, 0}, **both);
  for (int64_t row = 0; row < 2; ++row) {
    const Prepared alone = RowsOfPrepared(**both, {row});
    EXPECT_THAT(Predict(network_, sample.narrow(0, row, 1), {0}, alone),
                TensorEquals(together.narrow(0, row, 1)));
  }
}

TEST_F(KUNetTest, NamesWhatItDoesNotTake) {
  Conditioning conditioning = Recorded();
  conditioning.numbers = at::randn({2, 1});
  EXPECT_THAT(network_.Prepare(conditioning), StatusIs(kInvalid, "numbers"));
  conditioning = Recorded();
  conditioning.image = at::randn({2, 3, 16, 16});
  EXPECT_THAT(network_.Prepare(conditioning),
              StatusIs(kInvalid, "takes 4 channels"));
}

TEST(KUNetConfigTest, NamesBadValues) {
  const TestFolder folder;
  const auto read = [&](const std::string& key, const nlohmann::json& value) {
    auto json = nlohmann::json::parse(ReadFile(Folder() + "/unet/config.json"));
    json[key] = value;
    return ReadKUNetConfig(folder.Write("config.json", json.dump()));
  };
  EXPECT_EQ(read("sample_size", 16)->time_width, 64);
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{
           {"act_fn", "silu"},
           {"time_embedding_type", "positional"},
           {"timestep_post_act", "silu"},
           {"mid_block_type", "UNetMidBlock2D"}}) {
    EXPECT_THAT(read(key, value), StatusIs(kUnimplemented, key));
  }
  EXPECT_THAT(read("norm_num_groups", 32),
              StatusIs(kUnimplemented, "norm_num_groups"));
  EXPECT_THAT(read("down_block_types", {"KDownBlock2D"}),
              StatusIs(kInvalid, "differs in length"));
  EXPECT_THAT(read("up_block_types", {"a", "a", "a", "a"}),
              StatusIs(kUnimplemented, "up_block_types"));
  EXPECT_THAT(read("block_out_channels", {32, 32, 64, 96}),
              StatusIs(kUnimplemented, "two levels"));
  EXPECT_THAT(read("attention_head_dim", 24),
              StatusIs(kInvalid, "attention_head_dim 24"));
  EXPECT_THAT(read("in_channels", 4), StatusIs(kInvalid, "in_channels"));
}

}  // namespace
}  // namespace genzo
