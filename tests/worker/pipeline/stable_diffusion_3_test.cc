#include "worker/pipeline/stable_diffusion_3.h"

#include "ATen/ops/equal.h"
#include "base/errors.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/testing/tiny_sd3.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo {
namespace {

class StableDiffusion3Test : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TestFolder();
    WriteTinySd3(*folder_);
    model_ = Load(/*t5=*/true).release();
  }
  static void TearDownTestSuite() {
    delete model_;
    delete folder_;
  }

  static std::unique_ptr<const Pipeline> Load(bool t5) {
    WriteTinySd3Index(*folder_, t5);
    auto loaded = LoadPipeline(folder_->path(), Placement());
    EXPECT_THAT(loaded, IsOk());
    EXPECT_EQ(PipelineWeightBytes(folder_->path(), Placement())->all,
              (*loaded)->weight_bytes());
    return *std::move(loaded);
  }

  static v1::GenerateRequest Request() {
    v1::GenerateRequest request;
    request.set_prompt("a sunset sea");
    request.set_guidance_scale(7);
    request.set_sampler(v1::SAMPLER_FLOW_EULER);
    request.set_steps(4);
    request.set_seed(1);
    request.set_width(64);
    request.set_height(48);
    request.set_max_sequence_length(16);
    return request;
  }

  // Tokens and vector that are prepared of the request's last row.
  static std::pair<at::Tensor, at::Tensor> LastRowOf(
      const Pipeline& model, const v1::GenerateRequest& request) {
    TextCache texts(1 << 20);
    const auto encoded =
        model.Encode({{.request = request}}, /*together=*/true, texts)[0];
    EXPECT_THAT(encoded, IsOk());
    const auto& tensors = encoded->prepared[0]->tensors;
    return {tensors[0][-1], tensors[1][-1]};
  }

  static TestFolder* folder_;
  static const Pipeline* model_;
};

TestFolder* StableDiffusion3Test::folder_ = nullptr;
const Pipeline* StableDiffusion3Test::model_ = nullptr;

// What is embedded beside the blocks, the time included: by diffusers' names
// and by the original's.
TEST_F(StableDiffusion3Test, AdaptersMayChangeEveryLayer) {
  const auto targets = model_->adapter_targets();
  std::string component;
  for (const char* name :
       {"transformer_time_text_embed_timestep_embedder_linear_2",
        "transformer_context_embedder", "transformer_pos_embed_proj",
        "transformer_norm_out_linear", "transformer_proj_out",
        "lora_unet_t_embedder_mlp_0", "lora_unet_y_embedder_mlp_2",
        "lora_unet_x_embedder_proj", "lora_unet_context_embedder",
        "lora_unet_final_layer_linear",
        "lora_unet_final_layer_adaLN_modulation_1"}) {
    EXPECT_NE(targets->Find(name, component), nullptr) << name;
  }
}

TEST_F(StableDiffusion3Test, TellsWhatItCanDo) {
  const PipelineTraits& traits = model_->traits();
  EXPECT_EQ(traits.family, "stable-diffusion-3");
  EXPECT_EQ(traits.defaults.steps, 28);
  EXPECT_EQ(traits.defaults.guidance_scale, 7);
  EXPECT_EQ(traits.size_multiple, 16);
  EXPECT_EQ(traits.max_clip_skip, 1);
  EXPECT_EQ(traits.samplers[0], v1::SAMPLER_FLOW_EULER);
}

TEST_F(StableDiffusion3Test, AttentionIsPerturbedWhereARequestSaysSo) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  const auto idle = [&] {
    return MakeRunOf(*model_, request).stage().prepared->edits[0].idle;
  };
  EXPECT_THAT(idle(), ::testing::Contains("transformer_blocks.1.attn"));
  EXPECT_THAT(idle(),
              ::testing::Not(::testing::Contains("transformer_blocks.0.attn")));
  request.mutable_guidance()->add_perturbed_layers("transformer_blocks.0.attn");
  EXPECT_THAT(idle(), ::testing::ElementsAre("transformer_blocks.0.attn"));
}

TEST_F(StableDiffusion3Test, EachEncoderReadsItsPrompt) {
  v1::GenerateRequest request = Request();
  const auto [tokens, vector] = LastRowOf(*model_, request);
  ASSERT_EQ(tokens.size(0), 77 + 16);
  request.set_prompt_3("a fox");
  const auto [tokens_3, vector_3] = LastRowOf(*model_, request);
  EXPECT_THAT(tokens_3.narrow(0, 0, 77), TensorEquals(tokens.narrow(0, 0, 77)));
  EXPECT_FALSE(at::equal(tokens_3, tokens));
  EXPECT_THAT(vector_3, TensorEquals(vector));
  request.set_prompt_2("a fox");
  const auto [tokens_2, vector_2] = LastRowOf(*model_, request);
  EXPECT_FALSE(at::equal(tokens_2.narrow(0, 0, 77), tokens.narrow(0, 0, 77)));
  EXPECT_FALSE(at::equal(vector_2, vector));
}

TEST_F(StableDiffusion3Test, ClipSkipLeavesLayersOutOfClipAlone) {
  v1::GenerateRequest request = Request();
  const auto [tokens, vector] = LastRowOf(*model_, request);
  request.set_clip_skip(1);
  const auto [skipped, same] = LastRowOf(*model_, request);
  EXPECT_FALSE(at::equal(skipped.narrow(0, 0, 77), tokens.narrow(0, 0, 77)));
  EXPECT_THAT(skipped.narrow(0, 77, 16),
              TensorEquals(tokens.narrow(0, 77, 16)));
  EXPECT_THAT(same, TensorEquals(vector));
}

TEST_F(StableDiffusion3Test, RunsWithoutT5) {
  const auto model = Load(/*t5=*/false);
  EXPECT_LT(model->weight_bytes(), model_->weight_bytes());
  v1::GenerateRequest request = Request();
  const auto [tokens, vector] = LastRowOf(*model, request);
  EXPECT_EQ(tokens.size(0), 77 + 16) << "as many zeros as T5 would give";
  request.set_prompt_3("a fox");
  EXPECT_THAT(LastRowOf(*model, request).first, TensorEquals(tokens));
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRunOf(*model, request));
  FinishRuns(runs);
  EXPECT_TRUE(runs[0].finished());
}

TEST_F(StableDiffusion3Test, NamesASizeThatItHasNoPlacesFor) {
  v1::GenerateRequest request = Request();
  request.set_height(272);
  TextCache texts(1 << 20);
  const auto encoded =
      model_->Encode({{.request = request}}, /*together=*/true, texts);
  const auto planned = model_->Plan(
      {.request = request, .noise = std::make_shared<SeededNoise>(1)},
      *encoded[0]);
  EXPECT_THAT(planned.status(), StatusIs(absl::StatusCode::kInvalidArgument,
                                         "width 64 or height 272 is over 256"));
}

// Everything that may differ within an evaluation does.
TEST_F(StableDiffusion3Test, ARunInAMixedBatchHasTheBitsOfOneAlone) {
  std::vector<v1::GenerateRequest> requests(5, Request());
  requests[1].set_prompt("a fox");
  requests[1].set_guidance_scale(1);
  requests[1].set_steps(3);
  requests[2].set_negative_prompt("people, text");
  requests[2].set_prompt_3("oil painting");
  requests[3].set_sampler(v1::SAMPLER_FLOW_HEUN);
  requests[3].set_seed(7);
  requests[4].mutable_image_to_image()->set_strength(0.5);
  requests[4].set_clip_skip(1);
  requests[4].mutable_guidance()->set_perturbed_attention_scale(2);
  std::vector<genzo::Run> together;
  for (const auto& request : requests) {
    together.push_back(MakeRunOf(*model_, request));
    EXPECT_EQ(together.back().key(), together.front().key());
  }
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRunOf(*model_, requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

}  // namespace
}  // namespace genzo
