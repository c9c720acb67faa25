#include "worker/pipeline/adapter_uses.h"

#include "ATen/ops/ones.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/tiny_lora.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

class AdapterUsesTest : public ::testing::Test {
 protected:
  AdapterUse Use(int64_t rank) const {
    const auto adapter = LoraAdapter::Load(
        TinyLora(rank), *model_->adapter_targets(), Placement());
    EXPECT_THAT(adapter, IsOk());
    return {.adapter = *adapter, .id = absl::StrCat(rank)};
  }
  PreparedRef Encode(const AdapterUses& uses, int steps, TextCache& texts) {
    v1::GenerateRequest request;
    request.set_prompt("a fox");
    request.set_steps(steps);
    request.set_guidance_scale(1);
    const EncodeTask task = {.request = request, .adapters = uses};
    auto encoded = model_->Encode({task}, /*together=*/false, texts);
    EXPECT_THAT(encoded[0], IsOk());
    return encoded[0]->prepared[0];
  }
  PreparedRef Encode(const AdapterUses& uses, int steps) {
    TextCache texts(1 << 20);
    return Encode(uses, steps, texts);
  }
  size_t Layers(const PreparedRef& prepared) const {
    const auto& segments = prepared->adapters.segments();
    return segments.empty() ? 0 : segments[0].adapters->layers.size();
  }

  c10::InferenceMode inference_;
  const std::unique_ptr<const Pipeline> model_ =
      *LoadPipeline(TinyModelFolder(), Placement());
};

TEST_F(AdapterUsesTest, EveryStretchOfStepsHasItsAdapters) {
  AdapterUse early = Use(2);
  early.end = 0.5;
  AdapterUse late = Use(3);
  late.start = 0.3;
  const PreparedRef prepared = Encode({early, late}, /*steps=*/10);
  // Steps 0 to 2, 3 and 4, 5 to 9.
  ASSERT_EQ(prepared->later.size(), 2u);
  EXPECT_EQ(prepared->later[0].first_step, 3);
  EXPECT_EQ(prepared->later[1].first_step, 5);
  const auto deltas = [&](int step) {
    const PreparedRef now = PreparedAt(prepared, step);
    return now->adapters.segments()[0].adapters->layers.begin()->second.size();
  };
  EXPECT_EQ(deltas(0), 1u);
  EXPECT_EQ(deltas(2), 1u);
  EXPECT_EQ(deltas(3), 2u);
  EXPECT_EQ(deltas(4), 2u);
  EXPECT_EQ(deltas(5), 1u);
  EXPECT_EQ(deltas(9), 1u);
}

TEST_F(AdapterUsesTest, BlocksHaveTheirOwnWeights) {
  AdapterUse use = Use(2);
  use.blocks = {{"mid_block", 0}, {"down_blocks", 0.5}, {"down_blocks.1", 2}};
  const PreparedRef prepared = Encode({use}, /*steps=*/2);
  for (const auto& [layer, deltas] :
       prepared->adapters.segments()[0].adapters->layers) {
    EXPECT_FALSE(absl::StartsWith(layer, "mid_block"));
    EXPECT_EQ(deltas[0].scale, absl::StartsWith(layer, "down_blocks.1.") ? 2
                               : absl::StartsWith(layer, "down_blocks.") ? 0.5
                                                                         : 1)
        << layer;
  }
}

TEST_F(AdapterUsesTest, TextsAreKeptByTheirAdapters) {
  TextCache texts(1 << 20);
  AdapterUse use = Use(2);
  const at::Tensor plain = Encode({}, 1, texts)->tensors[0];
  // The denoiser's share shows in what is prepared, too: leave it out.
  use.weight = 0;
  const at::Tensor adapted = Encode({use}, 1, texts)->tensors[0];
  EXPECT_GT((adapted - plain).abs().max().item<double>(), 1e-4);
  EXPECT_EQ(texts.TakeHitsAndMisses(), std::pair(int64_t{0}, int64_t{2}));
  EXPECT_THAT(Encode({use}, 1, texts)->tensors[0], TensorEquals(adapted));
  EXPECT_THAT(Encode({}, 1, texts)->tensors[0], TensorEquals(plain));
  EXPECT_EQ(texts.TakeHitsAndMisses(), std::pair(int64_t{2}, int64_t{0}));
  use.text_encoder_weight = 0;
  EXPECT_THAT(Encode({use}, 1, texts)->tensors[0], TensorEquals(plain));
}

TEST_F(AdapterUsesTest, WithoutAdaptersNothingIsDifferent) {
  const PreparedRef prepared = Encode({}, /*steps=*/10);
  EXPECT_TRUE(prepared->adapters.empty());
  EXPECT_TRUE(prepared->later.empty());
}

}  // namespace
}  // namespace genzo
