#include "worker/engine/evaluate.h"

#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

v1::GenerateRequest Request(const std::string& prompt, double guidance,
                            v1::Sampler sampler, int steps, uint64_t seed) {
  v1::GenerateRequest request;
  request.set_prompt(prompt);
  request.set_negative_prompt("blurry");
  request.set_guidance_scale(guidance);
  request.set_sampler(sampler);
  request.set_steps(steps);
  request.set_seed(seed);
  request.set_width(64);
  request.set_height(64);
  return request;
}

std::vector<v1::GenerateRequest> MixedRequests() {
  std::vector<v1::GenerateRequest> requests = {
      Request("a fox", 7.5, v1::SAMPLER_DDIM, 6, 1),
      Request("a cat", 1.0, v1::SAMPLER_EULER, 4, 2),
      Request("fog", 3.0, v1::SAMPLER_EULER_ANCESTRAL, 5, 3),
      Request("", 9.0, v1::SAMPLER_DPMPP_2M, 7, 4),
      Request("a fox", 7.5, v1::SAMPLER_PNDM, 4, 5),
      Request("a pirate ship", 5.0, v1::SAMPLER_DPMPP_2M, 9, 6)};
  requests[3].set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  requests[5].mutable_image_to_image()->set_strength(0.6);
  return requests;
}

genzo::Run MakeRun(const v1::GenerateRequest& request) {
  return MakeRunOf(TinyPipeline(), request);
}

std::vector<genzo::Run> MixedRuns(const Pipeline& pipeline = TinyPipeline()) {
  std::vector<genzo::Run> runs;
  for (const auto& request : MixedRequests()) {
    runs.push_back(MakeRunOf(pipeline, request));
  }
  return runs;
}

void ExpectCompanyChangesNothing(const Pipeline& pipeline) {
  std::vector<genzo::Run> together = MixedRuns(pipeline);
  FinishRuns(together);
  for (size_t i = 0; i < together.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(MakeRunOf(pipeline, MixedRequests()[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent())) << i;
  }
}

TEST(EvaluateTest, ABatchedRunEqualsTheSameRunAlone) {
  ExpectCompanyChangesNothing(TinyPipeline());
}

// Libraries cut long sums into parts, which the tiny model does not have.
TEST(EvaluateTest, TheSameOfTheBoxInEitherType) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const auto box = LoadPipeline(SourcePath("models/emaki"),
                                  {.device = at::kCPU, .dtype = dtype});
    ASSERT_THAT(box, IsOk());
    ExpectCompanyChangesNothing(**box);
  }
}

TEST(EvaluateTest, TheSameSeedGivesTheSameLatents) {
  std::vector<genzo::Run> first = MixedRuns();
  std::vector<genzo::Run> second = MixedRuns();
  FinishRuns(first);
  FinishRuns(second);
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_THAT(first[i].latent(), TensorEquals(second[i].latent()));
  }
}

TEST(EvaluateTest, RowsThatFillUpChangeNothing) {
  for (const double guidance : {1.0, 7.5}) {
    genzo::Run run =
        MakeRun(Request("a fox", guidance, v1::SAMPLER_DDIM, 4, 1));
    PreparedJoiner joiner;
    const auto alone = Evaluate({&run}, joiner);
    const auto padded = Evaluate({&run}, joiner, /*padded_rows=*/5);
    ASSERT_THAT(padded, IsOk());
    ASSERT_EQ(padded->size(), 1u);
    EXPECT_THAT((*padded)[0], TensorEquals((*alone)[0]));
    EXPECT_EQ(run.rows(), guidance > 1 ? 2 : 1);
  }
}

}  // namespace
}  // namespace genzo
