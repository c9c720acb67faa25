#include "worker/adapters/lora_names.h"

#include "ATen/ops/zeros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/tiny_lora.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

LoraNames NamesOf(const std::vector<std::string>& tensors) {
  FixedTensors file;
  for (const std::string& name : tensors) file.Add(name, at::zeros({1}));
  return ReadLoraNames(file.entries());
}

TEST(LoraNamesTest, EveryStyleOfAModuleIsOneModule) {
  for (const auto& [down, up] :
       std::vector<std::pair<std::string, std::string>>{
           {"lora_unet_mid_block_attentions_0_proj_in.lora_down.weight",
            "lora_unet_mid_block_attentions_0_proj_in.lora_up.weight"},
           {"unet.mid_block.attentions.0.proj_in.lora_A.weight",
            "unet.mid_block.attentions.0.proj_in.lora_B.weight"},
           {"unet.mid_block.attentions.0.proj_in.lora.down.weight",
            "unet.mid_block.attentions.0.proj_in.lora.up.weight"},
           {"unet.mid_block.attentions.0.proj_in.lora_A.default.weight",
            "unet.mid_block.attentions.0.proj_in.lora_B.default.weight"}}) {
    const LoraNames names = NamesOf({down, up});
    ASSERT_EQ(names.modules.size(), 1u) << down;
    const auto& [module, parts] = *names.modules.begin();
    EXPECT_THAT(parts, ElementsAre(Pair("down", down), Pair("up", up)));
    EXPECT_EQ(LoraPlaces(module)[0],
              std::pair(std::string("denoiser"),
                        std::string("mid_block_attentions_0_proj_in")));
    EXPECT_TRUE(names.strangers.empty());
  }
}

TEST(LoraNamesTest, OldProcessorsAndXLabsAreRenamed) {
  const LoraNames names =
      NamesOf({"unet.a.attn1.processor.to_q_lora.down.weight",
               "unet.a.attn1.processor.to_out_lora.down.weight",
               "double_blocks.3.processor.qkv_lora2.down.weight",
               "single_blocks.0.processor.proj_lora.up.weight"});
  std::vector<std::string> modules;
  for (const auto& [module, parts] : names.modules) modules.push_back(module);
  EXPECT_THAT(
      modules,
      ElementsAre("double_blocks_3_txt_attn_qkv", "single_blocks_0_linear2",
                  "unet_a_attn1_to_out_0", "unet_a_attn1_to_q"));
}

TEST(LoraNamesTest, TextEncodersAreToldApart) {
  const auto component = [](const std::string& module) {
    return LoraPlaces(module)[0].first;
  };
  EXPECT_EQ(component("lora_te_text_model_x"), "text_encoder");
  EXPECT_EQ(component("lora_te1_text_model_x"), "text_encoder");
  EXPECT_EQ(component("text_encoder_text_model_x"), "text_encoder");
  EXPECT_EQ(component("lora_te2_text_model_x"), "text_encoder_2");
  EXPECT_EQ(component("text_encoder_2_text_model_x"), "text_encoder_2");
  EXPECT_EQ(component("lora_te3_encoder_x"), "text_encoder_3");
}

TEST(LoraNamesTest, TextEncodersOldNamesAreTheNewOnes) {
  const LoraNames names =
      NamesOf({"text_encoder.layers.0.self_attn.to_q_lora.down.weight",
               "text_encoder.layers.0.self_attn.to_out_lora.up.weight"});
  EXPECT_EQ(names.modules.count("text_encoder_layers_0_self_attn_q_proj"), 1u);
  EXPECT_EQ(names.modules.count("text_encoder_layers_0_self_attn_out_proj"),
            1u);
}

TEST(LoraNamesTest, WhatIsNoAdapterIsAStranger) {
  const LoraNames names = NamesOf({"unet.conv_in.weight", "emb_params"});
  EXPECT_TRUE(names.modules.empty());
  EXPECT_EQ(names.strangers.size(), 2u);
}

TEST(LoraNamesTest, FamiliesShowInNamesAndWidths) {
  const auto family = [](const std::string& name, at::IntArrayRef shape) {
    FixedTensors file;
    file.Add(name, at::zeros(shape));
    return LoraFamily(file, ReadLoraNames(file.entries()));
  };
  const std::string to_k =
      "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k."
      "lora_down.weight";
  EXPECT_EQ(family(to_k, {4, 768}), "sd1");
  EXPECT_EQ(family(to_k, {4, 1024}), "sd2");
  EXPECT_EQ(family(to_k, {4, 2048}), "sdxl");
  EXPECT_EQ(
      family("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", {4, 8}),
      "flux");
  EXPECT_EQ(family("transformer.transformer_blocks.0.attn.add_q_proj.lora_A."
                   "weight",
                   {4, 8}),
            "sd3");
  EXPECT_EQ(family("x.lora_down.weight", {4, 8}), "unknown");
}

}  // namespace
}  // namespace genzo
