#include "worker/pipeline/guidance_phases.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

using ::testing::ElementsAre;

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a sunset sea");
  request.set_guidance_scale(3);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.set_steps(6);
  request.set_seed(1);
  request.set_width(64);
  request.set_height(64);
  return request;
}

// Rows of each evaluation.
std::vector<int> RowsOfEachStep(const v1::GenerateRequest& request) {
  genzo::Run run = MakeRunOf(TinyPipeline(), request);
  PreparedJoiner joiner;
  std::vector<int> rows;
  while (!run.finished()) {
    rows.push_back(run.rows());
    const auto predictions = Evaluate({&run}, joiner);
    if (!predictions.ok() || !run.Take((*predictions)[0]).ok()) return {};
  }
  return rows;
}

at::Tensor LatentOf(const v1::GenerateRequest& request) {
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRunOf(TinyPipeline(), request));
  FinishRuns(runs);
  return runs[0].latent();
}

TEST(GuidancePhasesTest, OutsideTheIntervalThereIsOneRow) {
  v1::GenerateRequest request = Request();
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(2, 2, 2, 2, 2, 2));
  request.mutable_guidance()->set_start(0.2);
  request.mutable_guidance()->set_end(0.7);
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(1, 2, 2, 2, 1, 1));
}

TEST(GuidancePhasesTest, AnEmptyIntervalIsNoGuidance) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_end(0);
  v1::GenerateRequest unguided = Request();
  unguided.set_guidance_scale(1);
  EXPECT_THAT(LatentOf(request), TensorEquals(LatentOf(unguided)));
}

TEST(GuidancePhasesTest, WeakerNetworksAreRowsMore) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  request.mutable_guidance()->set_end(0.5);
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(3, 3, 3, 1, 1, 1));
  request.set_guidance_scale(1);
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(2, 2, 2, 1, 1, 1));
  EXPECT_GT((LatentOf(request) - LatentOf(Request())).abs().max().item<float>(),
            1e-3f);
}

TEST(GuidancePhasesTest, ARequestSaysWhereAttentionIsPerturbed) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_perturbed_attention_scale(3);
  const auto idle = [&] {
    const genzo::Run run = MakeRunOf(TinyPipeline(), request);
    std::set<std::string> blocks;
    for (const RowEdit& edit : run.stage().prepared->edits) {
      for (const std::string& layer : edit.idle) {
        blocks.insert(layer.substr(0, layer.find(".attentions.")));
      }
    }
    return blocks;
  };
  EXPECT_THAT(idle(), ElementsAre("mid_block"));
  request.mutable_guidance()->add_perturbed_layers("mid_block");
  request.mutable_guidance()->add_perturbed_layers("up_blocks.1");
  EXPECT_THAT(idle(), ElementsAre("mid_block", "up_blocks.1"));
}

TEST(GuidancePhasesTest, AWalkFromAPictureEntersInItsPhase) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_start(0.5);
  request.mutable_image_to_image()->set_strength(0.7);  // from step 2 on
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(1, 2, 2, 2));
}

TEST(GuidancePhasesTest, BehindTheTextsGateThereIsOneRow) {
  v1::GenerateRequest request = Request();
  request.mutable_guidance()->set_text_gate_step(4);
  EXPECT_THAT(RowsOfEachStep(request), ElementsAre(2, 2, 2, 2, 1, 1));
  const at::Tensor gated = LatentOf(request);
  request.mutable_guidance()->set_text_gate_step(6);
  EXPECT_THAT(LatentOf(request), TensorEquals(LatentOf(Request())));
  EXPECT_GT((gated - LatentOf(request)).abs().max().item<float>(), 1e-4f);
}

// Every kind of phase beside every other.
TEST(GuidancePhasesTest, RunsInOneBatchAreWhatTheyAreAlone) {
  std::vector<v1::GenerateRequest> requests(5, Request());
  requests[1].mutable_guidance()->set_start(0.4);
  requests[2].mutable_guidance()->set_perturbed_attention_scale(2);
  requests[3].mutable_guidance()->set_text_gate_step(2);
  requests[4].mutable_guidance()->set_text_gate_step(1);
  requests[4].mutable_guidance()->set_perturbed_attention_scale(2);
  requests[4].set_prompt("a fox");
  std::vector<genzo::Run> together;
  for (const auto& request : requests) {
    together.push_back(MakeRunOf(TinyPipeline(), request));
  }
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    EXPECT_THAT(together[i].latent(), TensorEquals(LatentOf(requests[i]))) << i;
  }
}

TEST(GuidancePhasesTest, GoesAwayFromTheWeakerRow) {
  const at::Tensor rows = at::arange(4, at::kFloat).view({4, 1, 1, 1});
  EXPECT_EQ(ApplyGuidance(rows.narrow(0, 0, 3),
                          {.rows = 3, .scale = 4, .weak_scales = {2}})
                .item<float>(),
            4 + 2 * (1 - 2));
  EXPECT_EQ(ApplyGuidance(rows.narrow(0, 1, 2),
                          {.rows = 2, .rescale = 1, .weak_scales = {2}})
                .item<float>(),
            1 + 2 * (1 - 2))
      << "nothing to rescale by";
}

}  // namespace
}  // namespace genzo
