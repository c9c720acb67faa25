#include "base/lora_blocks.h"

#include "absl/strings/str_cat.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

constexpr auto kNothingLeft = "leave nothing of it";

v1::LoraUse Use(double weight,
                const std::vector<std::pair<std::string, double>>& blocks) {
  v1::LoraUse lora;
  lora.set_weight(weight);
  lora.set_text_encoder_weight(weight);
  for (const auto& [block, own] : blocks) {
    v1::LoraBlockWeight& added = *lora.add_block_weights();
    added.set_block(block);
    added.set_weight(own);
  }
  return lora;
}

const LoraLayers& Layers() {
  static const auto* const layers = new LoraLayers{
      .denoiser = {"conv_in", "down_blocks.1.a", "down_blocks.10.a",
                   "mid_block.a", "mid_block.b"}};
  return *layers;
}

TEST(LoraBlocksTest, WhatIsLeftMayBeLittle) {
  EXPECT_THAT(CheckBlockWeights(Use(1, {{"mid_block", 0}}), Layers()), IsOk());
  EXPECT_THAT(CheckBlockWeights(Use(0, {{"mid_block.a", 0.1}}), Layers()),
              IsOk());
  EXPECT_THAT(CheckBlockWeights(Use(0, {{"mid_block", 0}, {"mid_block.a", 1}}),
                                Layers()),
              IsOk())
      << "of two the longer one counts";
  EXPECT_THAT(
      CheckBlockWeights(Use(1, {{"up_blocks.0", 0}, {"conv_in", 0}}), Layers()),
      IsOk())
      << "a list of blocks may be for more files than this one";
}

TEST(LoraBlocksTest, ZeroForEveryLayerLeavesNothing) {
  EXPECT_THAT(CheckBlockWeights(Use(0, {{"mid_block", 0}}), Layers()),
              StatusIs(kInvalid, kNothingLeft));
  const auto all = [](double mid) {
    return Use(1, {{"conv_in", 0},
                   {"down_blocks", 0},
                   {"mid_block", 1},
                   {"mid_block.a", 0},
                   {"mid_block.b", mid}});
  };
  EXPECT_THAT(CheckBlockWeights(all(0), Layers()),
              StatusIs(kInvalid, kNothingLeft));
  EXPECT_THAT(CheckBlockWeights(all(-0.5), Layers()), IsOk());
}

TEST(LoraBlocksTest, TheTextEncodersPartIsLeft) {
  LoraLayers layers = Layers();
  layers.text_encoders = true;
  v1::LoraUse lora = Use(0, {{"mid_block", 0}});
  lora.set_text_encoder_weight(0.5);
  EXPECT_THAT(CheckBlockWeights(lora, layers), IsOk());
  EXPECT_THAT(CheckBlockWeights(lora, Layers()),
              StatusIs(kInvalid, kNothingLeft));
}

TEST(LoraBlocksTest, BlocksOfOtherFilesAloneAreToldWhichThereAre) {
  EXPECT_THAT(
      CheckBlockWeights(Use(1, {{"up_blocks.0", 1}, {"mid", 1}}), Layers()),
      StatusIs(kInvalid,
               "name no layer that it changes; those are in conv_in, "
               "down_blocks.1, down_blocks.10, mid_block"));
  EXPECT_THAT(CheckBlockWeights(Use(1, {{"mid_block", 1}}),
                                {.denoiser = {}, .text_encoders = true}),
              StatusIs(kInvalid, "those are in the text encoders alone"));
  LoraLayers many;
  for (int i = 10; i < 40; ++i) {
    many.denoiser.push_back(absl::StrCat("blocks.", i, ".a"));
  }
  EXPECT_THAT(CheckBlockWeights(Use(1, {{"mid", 1}}), many),
              StatusIs(kInvalid, "blocks.29, ..."));
}

TEST(LoraBlocksTest, AnAdapterOfNoWeightIsNoMistake) {
  EXPECT_THAT(CheckBlockWeights(Use(0, {}), Layers()), IsOk());
}

}  // namespace
}  // namespace genzo
