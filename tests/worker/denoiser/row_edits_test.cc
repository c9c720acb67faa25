#include "worker/denoiser/row_edits.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/randn.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/denoiser/mmdit.h"
#include "worker/denoiser/unet_2d_condition.h"
#include "worker/weights/component_folder.h"

namespace genzo {
namespace {

using ::testing::Contains;

// A network and what its rows are given.
class RowEditsTest : public ::testing::Test {
 protected:
  RowEditsTest()
      : unet_(*ReadUNet2DConditionConfig(UNetFolder() + "/config.json"),
              *OpenWeights(UNetFolder(), at::kFloat, at::kCPU)),
        mmdit_(*ReadMmditConfig(MmditFolder() + "/config.json"),
               *OpenWeights(MmditFolder(), at::kFloat, at::kCPU)) {}

  static std::string UNetFolder() { return TinyModelFolder() + "/unet"; }
  static std::string MmditFolder() {
    return SourcePath("tests/data/reference/models/sd35-transformer");
  }

  static at::Tensor Run(const Denoiser& denoiser, const at::Tensor& sample,
                        const Prepared& prepared) {
    const std::vector<float> times(sample.size(0), 500.0f);
    return Predict(denoiser, sample, times, prepared);
  }

  static Prepared With(const Prepared& prepared, RowEdits edits) {
    Prepared edited = prepared;
    edited.edits = std::move(edits);
    return edited;
  }

  static std::set<std::string> AllOf(const Denoiser& denoiser) {
    const std::vector<std::string> names = denoiser.IdleLayers();
    return {names.begin(), names.end()};
  }

  c10::InferenceMode inference_;
  const UNet2DConditionModel unet_;
  const Mmdit mmdit_;
};

TEST_F(RowEditsTest, IdleAttentionIsOfItsRowAlone) {
  ASSERT_THAT(unet_.IdleLayers(),
              Contains("mid_block.attentions.0.transformer_blocks.0.attn1"));
  const at::Tensor sample = at::randn({3, 4, 8, 8});
  const auto prepared = *unet_.Prepare({.tokens = at::randn({3, 77, 8})});
  const at::Tensor plain = Run(unet_, sample, *prepared);
  const at::Tensor edited = Run(
      unet_, sample, With(*prepared, {{.first_row = 1, .idle = AllOf(unet_)}}));
  EXPECT_THAT(edited[0], TensorEquals(plain[0]));
  EXPECT_THAT(edited[2], TensorEquals(plain[2]));
  EXPECT_GT((edited[1] - plain[1]).abs().max().item<float>(), 1e-5f);
}

// Where there is one place, it sees itself alone anyway. (Norms over one place
// enlarge what rounding leaves.)
TEST_F(RowEditsTest, IdleAttentionSeesItself) {
  const at::Tensor sample = at::randn({1, 4, 1, 1});
  const auto prepared = *unet_.Prepare({.tokens = at::randn({1, 77, 8})});
  EXPECT_THAT(Run(unet_, sample, With(*prepared, {{.idle = AllOf(unet_)}})),
              TensorNear(Run(unet_, sample, *prepared), 1e-3));
}

TEST_F(RowEditsTest, FeaturesStandInForTheText) {
  const at::Tensor sample = at::randn({1, 4, 8, 8});
  const auto one = *unet_.Prepare({.tokens = at::randn({1, 77, 8})});
  const auto other = *unet_.Prepare({.tokens = at::randn({1, 77, 8})});
  const at::Tensor plain = Run(unet_, sample, *one);
  const auto features = std::make_shared<TextFeatures>();
  EXPECT_THAT(Run(unet_, sample, With(*one, {{.keep = features}})),
              TensorEquals(plain));
  EXPECT_FALSE(features->empty());
  const at::Tensor taken =
      Run(unet_, sample, With(*other, {{.take = features}}));
  EXPECT_THAT(taken, TensorNear(plain, 1e-4)) << "the other text is not seen";
  // Beside a row that looks at its text.
  PreparedJoiner joiner;
  const auto gated =
      std::make_shared<Prepared>(With(*other, {{.take = features}}));
  const at::Tensor mixed =
      Run(unet_, at::cat({sample, sample}), *joiner.Join({one, gated}));
  EXPECT_THAT(mixed[0], TensorEquals(plain[0]));
  EXPECT_THAT(mixed[1], TensorEquals(taken[0]));
}

TEST_F(RowEditsTest, FeaturesAreTheMeanOfTheirRows) {
  const at::Tensor sample = at::randn({1, 4, 8, 8});
  const auto pair = *unet_.Prepare({.tokens = at::randn({2, 77, 8})});
  const auto features = std::make_shared<TextFeatures>();
  const auto first = std::make_shared<TextFeatures>();
  const auto second = std::make_shared<TextFeatures>();
  Run(unet_, at::cat({sample, sample}),
      With(*pair, {{.rows = 2, .keep = features},
                   {.first_row = 0, .keep = first},
                   {.first_row = 1, .keep = second}}));
  const std::string layer = "down_blocks.0.attentions.0.transformer_blocks.0";
  ASSERT_EQ(features->at(layer).dim(), 3);
  // The first text's layer sees the same in both rows but for the text.
  EXPECT_THAT(features->at(layer),
              TensorNear((first->at(layer) + second->at(layer)) / 2, 1e-5));
}

TEST_F(RowEditsTest, IdleBlocksChangeNothing) {
  const std::vector<std::string> blocks = mmdit_.IdleLayers();
  const at::Tensor sample = at::randn({1, 16, 6, 8});
  const at::Tensor samples = at::cat({sample, sample, sample});
  const at::Tensor pooled = at::randn({1, 20});
  const auto prepared =
      *mmdit_.Prepare({.tokens = at::randn({3, 9, 32}),
                       .pooled = at::cat({pooled, pooled, pooled})});
  const at::Tensor plain = Run(mmdit_, samples, *prepared);
  const at::Tensor edited =
      Run(mmdit_, samples,
          With(*prepared, {{.first_row = 1,
                            .rows = 2,
                            .idle = {blocks.begin(), blocks.end()}}}));
  EXPECT_THAT(edited[0], TensorEquals(plain[0]));
  EXPECT_GT((plain[1] - plain[2]).abs().max().item<float>(), 1e-5f);
  EXPECT_THAT(edited[1], TensorEquals(edited[2]))
      << "the tokens are read in the blocks";
}

// Of SD3's joint attention, where the text is seen all the same.
TEST_F(RowEditsTest, IdleJointAttentionIsOfItsRowAlone) {
  ASSERT_THAT(mmdit_.SelfAttentions(), Contains("transformer_blocks.0.attn"));
  ASSERT_THAT(mmdit_.SelfAttentions(), Contains("transformer_blocks.0.attn2"));
  const at::Tensor sample = at::randn({3, 16, 6, 8});
  const auto prepared = *mmdit_.Prepare(
      {.tokens = at::randn({3, 9, 32}), .pooled = at::randn({3, 20})});
  const at::Tensor plain = Run(mmdit_, sample, *prepared);
  for (const char* layer :
       {"transformer_blocks.0.attn", "transformer_blocks.0.attn2"}) {
    const at::Tensor edited = Run(
        mmdit_, sample, With(*prepared, {{.first_row = 1, .idle = {layer}}}));
    EXPECT_THAT(edited[0], TensorEquals(plain[0])) << layer;
    EXPECT_THAT(edited[2], TensorEquals(plain[2])) << layer;
    EXPECT_GT((edited[1] - plain[1]).abs().max().item<float>(), 1e-5f) << layer;
  }
}

// Where there is one place, it has no neighbours anyway.
TEST_F(RowEditsTest, IdleJointAttentionSeesItselfAndTheText) {
  const at::Tensor sample = at::randn({1, 16, 2, 2});
  const auto prepared = *mmdit_.Prepare(
      {.tokens = at::randn({1, 9, 32}), .pooled = at::randn({1, 20})});
  const std::vector<std::string> layers = mmdit_.SelfAttentions();
  EXPECT_THAT(Run(mmdit_, sample,
                  With(*prepared, {{.idle = {layers.begin(), layers.end()}}})),
              TensorNear(Run(mmdit_, sample, *prepared), 1e-3));
}

TEST_F(RowEditsTest, RowsAreChosenWithTheirEdits) {
  const auto prepared = *unet_.Prepare({.tokens = at::randn({2, 77, 8})});
  const Prepared chosen = RowsOfPrepared(
      With(*prepared, {{.first_row = 1, .idle = {"x"}}}), {1, 0, 1});
  EXPECT_EQ(chosen.rows, 3);
  EXPECT_EQ(IdleRows(chosen.edits, "x"), (std::vector<int64_t>{0, 2}));
  EXPECT_TRUE(IdleRows(chosen.edits, "y").empty());
  EXPECT_THAT(chosen.tensors[0][0], TensorEquals(prepared->tensors[0][1]));
  EXPECT_THAT(chosen.tensors[0][1], TensorEquals(prepared->tensors[0][0]));
}

}  // namespace
}  // namespace genzo
