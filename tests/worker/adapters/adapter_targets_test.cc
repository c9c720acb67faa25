#include "worker/adapters/adapter_targets.h"

#include "ATen/ops/randn.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_lora.h"
#include "worker/weights/single_file/original_names.h"

namespace genzo {
namespace {

class AdapterTargetsTest : public ::testing::Test {
 protected:
  const AdapterTargets::Module* Find(const std::string& name) const {
    std::string component;
    return targets_.Find(name, component);
  }
  std::string LayerOf(const std::string& name) const {
    const auto* module = Find(name);
    return module == nullptr ? "none" : module->layers[0].name;
  }

  AdapterTargets targets_;
};

TEST_F(AdapterTargetsTest, AUNetsLayersHaveBothTheirNames) {
  const auto unet = SafetensorsFile::Open(
      TinyModelFolder() + "/unet/diffusion_pytorch_model.safetensors");
  ASSERT_TRUE(unet.ok());
  targets_.Add("denoiser", *unet);
  targets_.AddNames("denoiser", UNetNames((*unet)->entries()));
  EXPECT_EQ(LayerOf("lora_unet_conv_in"), "conv_in");
  EXPECT_EQ(LayerOf("lora_unet_input_blocks_0_0"), "conv_in");
  EXPECT_EQ(LayerOf("lora_unet_down_blocks_0_resnets_0_conv1"),
            "down_blocks.0.resnets.0.conv1");
  EXPECT_EQ(LayerOf("lora_unet_input_blocks_1_0_in_layers_2"),
            "down_blocks.0.resnets.0.conv1");
  EXPECT_EQ(LayerOf("lora_unet_input_blocks_1_0_emb_layers_1"),
            "down_blocks.0.resnets.0.time_emb_proj");
  EXPECT_EQ(LayerOf("diffusion_model_middle_block_1_proj_in"),
            "mid_block.attentions.0.proj_in");
  EXPECT_EQ(LayerOf("unet_time_embedding_linear_1"), "time_embedding.linear_1");
  EXPECT_EQ(LayerOf("lora_unet_nothing"), "none");
}

// One matrix of the original code, four layers here.
TEST_F(AdapterTargetsTest, AFusedLayerHasItsPartsRows) {
  auto network = std::make_shared<FixedTensors>();
  network->Add("x_embedder.weight", at::randn({8, 4}));
  network->Add("x_embedder.bias", at::randn({8}));
  const std::string single = "single_transformer_blocks.0.";
  for (const char* name : {"q", "k", "v"}) {
    network->Add(absl::StrCat(single, "attn.to_", name, ".weight"),
                 at::randn({8, 8}));
  }
  network->Add(single + "proj_mlp.weight", at::randn({32, 8}));
  network->Add("norm_out.linear.weight", at::randn({16, 8}));
  targets_.Add("denoiser", network);
  targets_.AddNames("denoiser", FluxNames(network->entries()));
  const auto* fused = Find("lora_unet_single_blocks_0_linear1");
  ASSERT_NE(fused, nullptr);
  EXPECT_EQ(fused->outputs, 56);
  ASSERT_EQ(fused->layers.size(), 4u);
  for (const auto& layer : fused->layers) {
    const int64_t begin = layer.name == single + "attn.to_q"   ? 0
                          : layer.name == single + "attn.to_k" ? 8
                          : layer.name == single + "attn.to_v" ? 16
                                                               : 24;
    ASSERT_EQ(layer.spans.size(), 1u);
    EXPECT_EQ(layer.spans[0].begin, begin) << layer.name;
    EXPECT_EQ(layer.spans[0].rows, begin == 24 ? 32 : 8);
  }
  // Halves that are the other way round.
  const auto* last = Find("lora_unet_final_layer_adaLN_modulation_1");
  ASSERT_NE(last, nullptr);
  ASSERT_EQ(last->layers[0].spans.size(), 2u);
  EXPECT_EQ(last->layers[0].spans[0].begin, 8);
  EXPECT_EQ(last->layers[0].spans[1].begin, 0);
}

TEST_F(AdapterTargetsTest, TablesAreNoLayers) {
  auto network = std::make_shared<FixedTensors>();
  network->Add("class_embedding.weight", at::randn({8, 4}));
  network->Add("norm.weight", at::randn({8}));
  targets_.Add("denoiser", network, {"class_embedding."});
  EXPECT_EQ(Find("lora_unet_class_embedding"), nullptr);
  EXPECT_EQ(Find("lora_unet_norm"), nullptr);
}

}  // namespace
}  // namespace genzo
