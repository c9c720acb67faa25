// Models trained as EDM (arXiv:2206.00364): numbers of diffusers'
// EDMEulerScheduler and EDMDPMSolverMultistepScheduler over a network that
// answers 0.3 times what it sees and 0.1 times what it is told.

#include <cmath>
#include <string>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/tensor.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/sampler/walks.h"
#include "worker/sampler/noise_source.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

using nlohmann::json;

constexpr char kEuler[] = "EDMEulerScheduler";
constexpr char kMultistep[] = "EDMDPMSolverMultistepScheduler";

at::Tensor Values(const std::vector<double>& values) {
  return at::tensor(at::ArrayRef<double>(values), at::kFloat)
      .view({1, 1, 1, -1});
}

json FileOf(const std::string& scheduler_class, const json& changes) {
  json file = {{"_class_name", scheduler_class}};
  file.update(changes);
  return file;
}

// CosXL's.
json Exponential() {
  return {{"sigma_max", 120.0},
          {"sigma_data", 1.0},
          {"prediction_type", "v_prediction"},
          {"sigma_schedule", "exponential"}};
}

struct EdmCase {
  std::string scheduler_class;
  json changes;
  int steps;
  std::vector<double> timesteps;
  std::vector<double> end;
};

const std::vector<EdmCase>& Cases() {
  static const auto* const cases = new std::vector<EdmCase>{
      {kEuler,
       json::object(),
       4,
       {1.095507, 0.5686287, -0.1887668, -1.553652},
       {0.2342601, -0.4269798, 0.8955004}},
      {kEuler,
       Exponential(),
       4,
       {1.196873, 0.2800313, -0.6368104, -1.553652},
       {0.02088062, -0.1130908, 0.1548521}},
      {kEuler,
       {{"final_sigmas_type", "sigma_min"},
        {"rho", 5.0},
        {"sigma_min", 0.05},
        {"sigma_max", 20.0}},
       4,
       {0.7489331, 0.4177324, -0.03416057, -0.7489331},
       {0.2266061, -0.4292696, 0.8824817}},
      {kMultistep,
       json::object(),
       4,
       {1.095507, 0.5686287, -0.1887667, -1.553652},
       {0.3264564, -0.72006, 1.372973}},
      {kMultistep,
       Exponential(),
       4,
       {1.196873, 0.2800313, -0.6368104, -1.553652},
       {0.2140477, -0.2997807, 0.7278759}},
      {kMultistep,
       {{"solver_order", 3}, {"lower_order_final", false}},
       5,
       {1.095507, 0.7159474, 0.23059, -0.4433532, -1.553652},
       {0.5400932, -1.191014, 2.2712}}};
  return *cases;
}

at::Tensor EndOf(SamplerRun& run, std::vector<double>& timesteps) {
  while (const auto query = run.Next()) {
    timesteps.push_back(query->timestep);
    run.Take(0.3 * query->sample + 0.1 * query->timestep);
  }
  return run.latent();
}

SamplerStart Start() { return {.noise = Values({0.5, -1, 2})}; }

TEST(EdmTest, WalksAsTheReferenceDoes) {
  for (const EdmCase& one : Cases()) {
    const json file = FileOf(one.scheduler_class, one.changes);
    auto run =
        CreateSamplerOfClass(one.scheduler_class, SigmaSchedule::kDefault, file,
                             {.steps = one.steps}, Start());
    ASSERT_THAT(run, IsOk()) << file;
    std::vector<double> timesteps;
    const at::Tensor end = EndOf(**run, timesteps);
    EXPECT_THAT(timesteps,
                testing::Pointwise(testing::DoubleNear(1e-5), one.timesteps))
        << file;
    EXPECT_THAT(end, TensorNear(Values(one.end), 1e-4)) << file;
  }
}

TEST(EdmTest, BeginsAtAPictureAsTheReferenceDoes) {
  SamplerStart start = Start();
  start.sample = Values({0.1, 0.2, -0.3});
  start.first_step = 2;
  auto run =
      CreateSampler(v1::SAMPLER_DPMPP_2M, SigmaSchedule::kDefault,
                    FileOf(kMultistep, json::object()), {.steps = 4}, start);
  ASSERT_THAT(run, IsOk());
  std::vector<double> timesteps;
  EXPECT_THAT(EndOf(**run, timesteps),
              TensorNear(Values({0.2219757, -0.1910968, 0.4302084}), 1e-4));
}

TEST(EdmTest, TheFileNamesItsSampler) {
  EXPECT_EQ(*DefaultSampler(FileOf(kEuler, json::object())), v1::SAMPLER_EULER);
  EXPECT_EQ(*DefaultSampler(FileOf(kMultistep, json::object())),
            v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(*DefaultSampler(
                FileOf(kMultistep, {{"algorithm_type", "sde-dpmsolver++"}})),
            v1::SAMPLER_DPMPP_2M_SDE);
}

// Also those that no reference class has for EDM; a table of trained levels
// there is none.
TEST(EdmTest, EverySamplerOverSigmasWalksOnEachScheduleOfEnds) {
  const json file = FileOf(kEuler, json::object());
  for (const v1::Sampler id :
       {v1::SAMPLER_EULER, v1::SAMPLER_EULER_ANCESTRAL, v1::SAMPLER_LMS,
        v1::SAMPLER_HEUN, v1::SAMPLER_EDM_HEUN, v1::SAMPLER_DPM2,
        v1::SAMPLER_DPM2_ANCESTRAL, v1::SAMPLER_DPMPP_2S_ANCESTRAL,
        v1::SAMPLER_DPMPP_SDE, v1::SAMPLER_DPMPP_2M, v1::SAMPLER_DPMPP_3M,
        v1::SAMPLER_DPMPP_2M_SDE}) {
    const auto needs = NeedsOf(id, file);
    ASSERT_THAT(needs, IsOk()) << v1::Sampler_Name(id);
    EXPECT_THAT(needs->schedules,
                testing::ElementsAre(
                    SigmaSchedule::kDefault, SigmaSchedule::kKarras,
                    SigmaSchedule::kExponential, SigmaSchedule::kBeta));
    EXPECT_FALSE(needs->takes_timesteps);
    for (const SigmaSchedule schedule : needs->schedules) {
      const auto plan = PlanOf(id, schedule, file, {.steps = 5}, 0);
      ASSERT_THAT(plan, IsOk()) << v1::Sampler_Name(id);
      EXPECT_NEAR(plan->levels[0].sigma, 80, 1e-4);
      EXPECT_NEAR(plan->timesteps[0], 1.095507, 1e-5);
      EXPECT_EQ(plan->levels.back().sigma, 0);
    }
  }
}

TEST(EdmTest, RefusesByNameWhatItHasNot) {
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  const auto status = [](v1::Sampler id, const json& changes,
                         SigmaSchedule schedule = SigmaSchedule::kDefault) {
    return PlanOf(id, schedule, FileOf(kEuler, changes), {.steps = 4}, 0)
        .status();
  };
  EXPECT_THAT(status(v1::SAMPLER_EULER, json::object(), SigmaSchedule::kSimple),
              StatusIs(kInvalid, "schedule simple is not for EDM"));
  EXPECT_THAT(status(v1::SAMPLER_DDIM, json::object()),
              StatusIs(kUnimplemented, "_class_name"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {{"sigma_schedule", "linear"}}),
              StatusIs(kUnimplemented, "sigma_schedule"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {{"prediction_type", "sample"}}),
              StatusIs(kUnimplemented, "prediction_type"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {{"sigma_data", 0}}),
              StatusIs(kInvalid, "sigma_data"));
  // There is no way from a level to itself.
  EXPECT_THAT(status(v1::SAMPLER_EULER, {{"sigma_min", 2}, {"sigma_max", 2}}),
              StatusIs(kInvalid, "sigma_max 2 (80 unless set) is not over"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {{"sigma_min", 100}}),
              StatusIs(kInvalid, "is not over sigma_min 100"));
  EXPECT_THAT(status(v1::SAMPLER_DPMPP_SDE, {{"sigma_max", 40000}}),
              StatusIs(kInvalid, "sigma_max 40000"))
      << "noise of intervals ends there";
  EXPECT_THAT(
      status(v1::SAMPLER_DPMPP_2M, {{"algorithm_type", "dpmsolver"},
                                    {"final_sigmas_type", "sigma_min"}}),
      StatusIs(kUnimplemented, "algorithm_type"));
}

// Its last step leads nowhere, wherever float32 puts the least sigma.
TEST(EdmTest, AWalkThatEndsAtTheLeastSigmaStaysFinite) {
  for (const double least : {0.002, 0.01, 0.03, 0.1}) {
    for (const int order : {1, 2, 3}) {
      const json file =
          FileOf(kMultistep, {{"sigma_min", least},
                              {"solver_order", order},
                              {"algorithm_type", "dpmsolver++"},
                              {"solver_type", "heun"},
                              {"lower_order_final", false},
                              {"final_sigmas_type", "sigma_min"}});
      for (const bool noisy : {false, true}) {
        json config = file;
        if (noisy) config["algorithm_type"] = "sde-dpmsolver++";
        auto run = CreateSamplerOfClass(kMultistep, SigmaSchedule::kDefault,
                                        config, {.steps = 6}, FromNoise(3));
        ASSERT_THAT(run, IsOk());
        Finish(**run);
        EXPECT_TRUE((*run)->latent().isfinite().all().item<bool>())
            << config.dump();
      }
    }
  }
}

// float32 has nothing left of the way down between the ends.
TEST(EdmTest, TheSteepestStepStaysFinite) {
  const json file = FileOf(kEuler, json::object());
  for (const v1::Sampler id :
       {v1::SAMPLER_EULER_ANCESTRAL, v1::SAMPLER_DPM2_ANCESTRAL,
        v1::SAMPLER_DPMPP_2S_ANCESTRAL, v1::SAMPLER_DPMPP_SDE}) {
    auto run = CreateSampler(id, SigmaSchedule::kDefault, file, {.steps = 2},
                             FromNoise(3));
    ASSERT_THAT(run, IsOk());
    while (const auto query = (*run)->Next()) {
      EXPECT_TRUE(std::isfinite(query->timestep)) << v1::Sampler_Name(id);
      (*run)->Take(Answer(*query));
    }
    EXPECT_TRUE((*run)->latent().isfinite().all().item<bool>())
        << v1::Sampler_Name(id);
  }
}

// As numpy's arange() has them.
TEST(TimestepsTest, TrailingOnesAreRoundedAsTheReferenceRoundsThem) {
  const auto of = [](int train, int steps) {
    return TrailingTimesteps(train, double(train) / steps, steps);
  };
  EXPECT_THAT(of(1000, 4), ::testing::ElementsAre(999, 749, 499, 249));
  // 250 - 3 * 20.833333333333332 is 187.5, and then 188; numpy's is below it.
  EXPECT_EQ(of(250, 12)[3], 186);
  EXPECT_EQ(of(250, 12)[9], 61);
}

}  // namespace
}  // namespace genzo
