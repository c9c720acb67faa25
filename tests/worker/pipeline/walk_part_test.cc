#include "worker/pipeline/walk_part.h"

#include <utility>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros_like.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/testing/fake_pipeline.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/sampler/create_sampler.h"

namespace genzo {
namespace {

std::optional<Handover> HandoverOf(const std::vector<double>& timesteps,
                                   double share, int first_step = 0) {
  const auto plan_from = [&](int step) {
    return PlanSteps(timesteps, std::vector<NoiseLevel>(timesteps.size() + 1),
                     step);
  };
  return HandoverAt(plan_from, first_step, share, 1000);
}

TEST(HandoverTest, GoesByTrainedTimesteps) {
  const std::vector<double> told = {876, 751, 626, 501, 376, 251, 126, 1};
  EXPECT_EQ(HandoverOf(told, 0.7)->step, 5) << "251 is the first below 300";
  EXPECT_EQ(HandoverOf(told, 0.7)->evaluations, 5);
  EXPECT_EQ(HandoverOf(told, 0)->step, 0);
  EXPECT_FALSE(HandoverOf(told, 1).has_value()) << "nothing is below 0";
  // As Python rounds 250.5 and 251.5, to 250 and 252.
  EXPECT_EQ(HandoverOf(told, 0.7495)->step, 6);
  EXPECT_EQ(HandoverOf(told, 0.7485)->step, 5);
}

TEST(HandoverTest, APicturesWalkLeavesTheFirstNetworkLess) {
  const std::vector<double> told = {801, 601, 401, 201, 1};
  const auto early = HandoverOf(told, 0.7, /*first_step=*/2);
  EXPECT_EQ(early->evaluations, 1);
  EXPECT_EQ(early->step, 3);
  const auto late = HandoverOf(told, 0.5, /*first_step=*/3);
  EXPECT_EQ(late->evaluations, 0);
  EXPECT_EQ(late->step, 3);
}

TEST(WalkPartTest, EndsWhereItsEvaluationsEnd) {
  WalkPart part(std::make_unique<FakeWalk>(3), {0, 2}, /*evaluations=*/2);
  for (int step = 0; step < 2; ++step) {
    ASSERT_TRUE(part.Next().has_value());
    EXPECT_EQ(part.progress().steps_done, step);
    EXPECT_EQ(part.progress().steps, 2);
    EXPECT_EQ(part.progress().evaluations, 2);
    part.Take(at::full({1, 1, 1, 1}, 1.0f));
  }
  EXPECT_FALSE(part.Next().has_value());
  EXPECT_EQ(part.progress().steps_done, 2);
  EXPECT_EQ(part.latent().item<float>(), 2);
}

// A base that answers 0.3 times what it sees and 0.1 times what it is told, of
// 1000, and a refiner that answers 0.2 and 0.05 times them.
struct TwoNetworks {
  SamplerId sampler;
  int steps;
  double share;
  std::vector<double> base_told, refiner_told;
  std::vector<double> end;
};

std::vector<double> WalkWith(SamplerRun& run, double seen, double told) {
  std::vector<double> timesteps;
  while (const auto query = run.Next()) {
    timesteps.push_back(query->timestep);
    run.Take(seen * query->sample + told * query->timestep / 1000);
  }
  return timesteps;
}

at::Tensor Line(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kFloat)
      .view({1, 1, 1, -1});
}

const std::vector<TwoNetworks>& TwoNetworksCases() {
  static const auto* const cases =
      new std::vector<TwoNetworks>{{v1::SAMPLER_EULER,
                                    5,
                                    0.5,
                                    {801, 601},
                                    {401, 201, 1},
                                    {1.337287, -3.38172, 6.056295}},
                                   {v1::SAMPLER_HEUN,
                                    5,
                                    0.5,
                                    {801, 601, 601},
                                    {601, 401, 401, 201, 201, 1, 1},
                                    {1.098588, -2.741431, 4.938605}},
                                   {v1::SAMPLER_HEUN,
                                    4,
                                    0.7,
                                    {751, 501, 501},
                                    {501, 251, 251, 1, 1},
                                    {0.922723, -2.243307, 4.088753}},
                                   {v1::SAMPLER_DPM2,
                                    5,
                                    0.5,
                                    {801, 707.1157, 601, 503.374},
                                    {401, 295.194, 201, 24.76509, 1},
                                    {1.240846, -2.971378, 5.453071}},
                                   {v1::SAMPLER_DPM2,
                                    5,
                                    0.6,
                                    {801, 707.1157, 601, 503.374, 401},
                                    {401, 295.194, 201, 24.76509, 1},
                                    {1.144343, -2.780838, 5.069524}},
                                   {v1::SAMPLER_PNDM,
                                    5,
                                    0.5,
                                    {801, 601, 601},
                                    {401, 201, 1},
                                    {1.19391, -2.846268, 5.234088}},
                                   {v1::SAMPLER_PNDM,
                                    5,
                                    0.3,
                                    {801},
                                    {601, 601, 401, 201, 1},
                                    {1.737662, -4.246708, 7.722033}}};
  return *cases;
}

// Also where that cuts a step in its middle, which the refiner then repeats.
TEST(HandoverTest, BothNetworksWalkAsTheReferences) {
  const nlohmann::json file = {{"_class_name", "EulerDiscreteScheduler"},
                               {"beta_start", 0.00085},
                               {"beta_end", 0.012},
                               {"beta_schedule", "scaled_linear"},
                               {"timestep_spacing", "leading"},
                               {"steps_offset", 1},
                               {"skip_prk_steps", true},
                               {"set_alpha_to_one", false}};
  const auto near = [](const std::vector<double>& told) {
    return testing::Pointwise(testing::DoubleNear(0.01), told);
  };
  for (const TwoNetworks& one : TwoNetworksCases()) {
    SCOPED_TRACE(
        absl::StrCat(v1::Sampler_Name(one.sampler), " at ", one.share));
    const SamplerOptions options = {.steps = one.steps};
    const auto plan_from = [&](int step) {
      return *PlanOf(one.sampler, SigmaSchedule::kDefault, file, options, step);
    };
    const auto walk_from = [&](const SamplerStart& start) {
      return *CreateSampler(one.sampler, SigmaSchedule::kDefault, file, options,
                            start);
    };
    const auto handover =
        HandoverAt(plan_from, /*first_step=*/0, one.share, 1000);
    ASSERT_TRUE(handover.has_value());
    const at::Tensor noise = Line({0.5, -1, 2});
    WalkPart base(walk_from({.noise = noise}), {0, handover->step},
                  handover->evaluations);
    EXPECT_THAT(WalkWith(base, 0.3, 0.1), near(one.base_told));
    EXPECT_EQ(base.progress().steps_done, handover->step);
    const at::Tensor zeros = at::zeros_like(noise);
    const auto refiner = walk_from(
        {.noise = zeros, .sample = zeros, .first_step = handover->step});
    refiner->Replace(base.latent());
    EXPECT_THAT(WalkWith(*refiner, 0.2, 0.05), near(one.refiner_told));
    EXPECT_THAT(refiner->latent(), TensorNear(Line(one.end), 2e-4));
  }
}

}  // namespace
}  // namespace genzo
