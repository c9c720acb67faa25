#include "worker/sampler/sampler_table.h"

#include <cmath>

#include "ATen/ops/equal.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/sampler/walks.h"
#include "worker/sampler/sigmas.h"

namespace genzo {
namespace {

using nlohmann::json;

absl::StatusOr<std::unique_ptr<SamplerRun>> Create(SamplerId id,
                                                   SigmaSchedule schedule,
                                                   const json& scheduler) {
  return CreateSampler(id, schedule, scheduler, {.steps = 7}, FromNoise(1));
}

std::vector<double> Timesteps(SamplerId id, SigmaSchedule schedule,
                              const json& scheduler = StableDiffusion()) {
  return PlanOf(id, schedule, scheduler, {.steps = 7}, 0)->timesteps;
}

TEST(SamplerTableTest, SamplersWithoutSigmasRefuseSchedulesByName) {
  for (SamplerId id : {v1::SAMPLER_DDIM, v1::SAMPLER_PNDM}) {
    EXPECT_THAT(FindSampler(id)->schedules,
                testing::ElementsAre(SigmaSchedule::kDefault));
  }
  EXPECT_THAT(
      Create(v1::SAMPLER_DDIM, SigmaSchedule::kKarras, StableDiffusion()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "schedule karras is not one of sampler ddim: default"));
}

TEST(SamplerTableTest, EverySamplerWalksOnEachOfItsSchedules) {
  for (const SamplerSpec& spec : Samplers()) {
    EXPECT_EQ(spec.schedules.front(), SigmaSchedule::kDefault);
    for (SigmaSchedule schedule : spec.schedules) {
      EXPECT_THAT(Create(spec.id, schedule, FileFor(spec.scheduler_class)),
                  IsOk())
          << spec.name << " " << NameOf(schedule);
    }
  }
}

TEST(SamplerTableTest, TheArgumentGoesBeforeTheModelsSchedule) {
  json karras = StableDiffusion();
  karras["use_karras_sigmas"] = true;
  for (SamplerId id : {v1::SAMPLER_EULER, v1::SAMPLER_DPMPP_2M}) {
    const auto asked = Timesteps(id, SigmaSchedule::kKarras);
    EXPECT_EQ(Timesteps(id, SigmaSchedule::kDefault, karras), asked);
    EXPECT_NE(Timesteps(id, SigmaSchedule::kDefault), asked);
    EXPECT_EQ(Timesteps(id, SigmaSchedule::kExponential, karras),
              Timesteps(id, SigmaSchedule::kExponential));
  }
}

TEST(SamplerTableTest, AncestralIgnoresTheFilesSchedule) {
  json karras = StableDiffusion();
  karras["use_karras_sigmas"] = true;
  karras["final_sigmas_type"] = "sigma_min";
  const auto plan = PlanOf(v1::SAMPLER_EULER_ANCESTRAL, SigmaSchedule::kDefault,
                           karras, {.steps = 7}, 0);
  EXPECT_EQ(plan->timesteps,
            Timesteps(v1::SAMPLER_EULER_ANCESTRAL, SigmaSchedule::kDefault));
  EXPECT_EQ(plan->levels.back().sigma, 0);
}

TEST(SamplerTableTest, EvaluationsAreThoseOfTheRun) {
  for (const SamplerSpec& spec : Samplers()) {
    for (int first_step : {0, 1, 6}) {
      SamplerStart start = FromNoise(1);
      start.sample = FromNoise(2).noise;
      start.first_step = first_step;
      const auto run =
          CreateSampler(spec.id, SigmaSchedule::kDefault,
                        FileFor(spec.scheduler_class), {.steps = 7}, start);
      ASSERT_THAT(run, IsOk());
      EXPECT_EQ(*EvaluationsOf(spec.id, SigmaSchedule::kDefault,
                               FileFor(spec.scheduler_class), 7, first_step),
                (*run)->progress().evaluations)
          << spec.name;
    }
  }
  EXPECT_EQ(*EvaluationsOf(v1::SAMPLER_PNDM, SigmaSchedule::kDefault,
                           StableDiffusion(), 7, 0),
            8);
}

TEST(SamplerTableTest, FlowAndDiffusionFilesAreForTheirOwnSamplers) {
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  const json flow = FileFor("FlowMatchEulerDiscreteScheduler");
  EXPECT_EQ(*DefaultSampler(flow), v1::SAMPLER_FLOW_EULER);
  EXPECT_THAT(Create(v1::SAMPLER_EULER, SigmaSchedule::kDefault, flow),
              StatusIs(kUnimplemented, "_class_name"));
  EXPECT_THAT(Create(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kDefault,
                     StableDiffusion()),
              StatusIs(kUnimplemented, "_class_name"));
  for (SamplerId id :
       {v1::SAMPLER_DPMPP_2M, v1::SAMPLER_DPMPP_2S, v1::SAMPLER_UNIPC}) {
    EXPECT_THAT(Create(id, SigmaSchedule::kKarras, flow), IsOk());
    EXPECT_THAT(Create(id, SigmaSchedule::kDdimUniform, flow),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         "schedule ddim_uniform is not for flow matching"));
  }
}

TEST(SamplerTableTest, DpmSolversAreToldApartByOrderAndNoise) {
  const auto own = [](const json& changes) {
    json scheduler = StableDiffusion();
    scheduler["_class_name"] = "DPMSolverMultistepScheduler";
    scheduler.update(changes);
    return *DefaultSampler(scheduler);
  };
  EXPECT_EQ(own(json::object()), v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(own({{"solver_order", 1}}), v1::SAMPLER_DPMPP_2M);
  EXPECT_EQ(own({{"solver_order", 3}}), v1::SAMPLER_DPMPP_3M);
  EXPECT_EQ(own({{"algorithm_type", "sde-dpmsolver++"}}),
            v1::SAMPLER_DPMPP_2M_SDE);
  EXPECT_EQ(own({{"algorithm_type", "sde-dpmsolver++"}, {"solver_order", 3}}),
            v1::SAMPLER_DPMPP_3M_SDE);
  EXPECT_EQ(
      own({{"algorithm_type", "sde-dpmsolver++"}, {"solver_type", "heun"}}),
      v1::SAMPLER_DPMPP_2M_SDE_HEUN);
  EXPECT_EQ(own({{"solver_type", "heun"}}), v1::SAMPLER_DPMPP_2M);
}

// The web UI's name asks for the rule, whatever the file says.
TEST(SamplerTableTest, HeunsRuleIsThatOfFilesThatNameIt) {
  const auto walk = [](v1::Sampler id, const char* solver_type) {
    json scheduler = StableDiffusion();
    scheduler["solver_type"] = solver_type;
    auto run = CreateSampler(id, SigmaSchedule::kKarras, scheduler,
                             {.steps = 6}, FromNoise(1));
    EXPECT_THAT(run, IsOk());
    Finish(**run);
    return (*run)->latent();
  };
  const at::Tensor heun = walk(v1::SAMPLER_DPMPP_2M_SDE_HEUN, "midpoint");
  EXPECT_TRUE(at::equal(heun, walk(v1::SAMPLER_DPMPP_2M_SDE, "heun")));
  EXPECT_FALSE(at::equal(heun, walk(v1::SAMPLER_DPMPP_2M_SDE, "midpoint")));
}

TEST(SamplerTableTest, LevelsOfOnesOwnAreWalkedOn) {
  const auto plan = [](SamplerId id, const SamplerOptions& options) {
    return PlanOf(id, SigmaSchedule::kDefault, StableDiffusion(), options, 0);
  };
  const std::vector<double> sigmas = {12, 5, 0.5};
  for (SamplerId id : {v1::SAMPLER_EULER, v1::SAMPLER_LMS}) {
    const auto walk = plan(id, {.steps = 3, .sigmas = sigmas});
    ASSERT_THAT(walk, IsOk());
    for (int i = 0; i < 3; ++i) EXPECT_EQ(walk->levels[i].sigma, sigmas[i]);
    EXPECT_EQ(walk->levels[3].sigma, 0);
  }
  const auto solver = plan(v1::SAMPLER_UNIPC, {.steps = 3, .sigmas = sigmas});
  EXPECT_NEAR(solver->levels[1].sigma / solver->levels[1].alpha, 5, 1e-6);
  for (SamplerId id :
       {v1::SAMPLER_DDIM, v1::SAMPLER_EULER, v1::SAMPLER_DPMPP_2M,
        v1::SAMPLER_LCM, v1::SAMPLER_DDPM}) {
    const auto walk = plan(id, {.steps = 3, .timesteps = {999, 499, 19}});
    ASSERT_THAT(walk, IsOk());
    EXPECT_THAT(walk->timesteps, testing::ElementsAre(999, 499, 19)) << id;
  }
  // The last of DDIM's leads to the picture.
  json to_one = StableDiffusion();
  to_one["set_alpha_to_one"] = true;
  EXPECT_EQ(PlanOf(v1::SAMPLER_DDIM, SigmaSchedule::kDefault, to_one,
                   {.steps = 2, .timesteps = {999, 300}}, 0)
                ->levels[2]
                .sigma,
            0);
}

TEST(SamplerTableTest, LevelsOfOnesOwnAreRefusedByName) {
  const auto status = [](SamplerId id, const SamplerOptions& options,
                         SigmaSchedule schedule = SigmaSchedule::kDefault) {
    return PlanOf(id, schedule, StableDiffusion(), options, 0).status();
  };
  EXPECT_THAT(status(v1::SAMPLER_DDIM, {.steps = 1, .sigmas = {1}}),
              StatusIs(kInvalid, "sampler ddim takes no sigmas"));
  EXPECT_THAT(status(v1::SAMPLER_PNDM, {.steps = 1, .timesteps = {1}}),
              StatusIs(kInvalid, "sampler pndm takes no timesteps"));
  EXPECT_THAT(
      status(v1::SAMPLER_EULER, {.steps = 1, .sigmas = {1}, .timesteps = {1}}),
      StatusIs(kInvalid, "not both"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {.steps = 1, .timesteps = {1}},
                     SigmaSchedule::kKarras),
              StatusIs(kInvalid, "not both"));
  EXPECT_THAT(
      status(v1::SAMPLER_EULER, {.steps = 1, .timesteps = {1000}}),
      StatusIs(kInvalid, "timestep 1000 is not over -1 and at most 999"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {.steps = 2, .timesteps = {1, 1}}),
              StatusIs(kInvalid, "timestep 1 is not below 1"));
  EXPECT_THAT(status(v1::SAMPLER_EULER, {.steps = 1, .sigmas = {40000}}),
              StatusIs(kInvalid, "sigma 40000"));
}

TEST(SamplerTableTest, DistilledModelsHaveAsManyStepsAsTheyWereDistilledFrom) {
  const auto status = [](int steps) {
    return PlanOf(v1::SAMPLER_LCM, SigmaSchedule::kDefault, StableDiffusion(),
                  {.steps = steps}, 0)
        .status();
  };
  EXPECT_THAT(status(50), IsOk());
  EXPECT_THAT(status(51), StatusIs(absl::StatusCode::kInvalidArgument,
                                   "steps 51 is not between 1 and 50"));
}

TEST(SamplerTableTest, SchedulesAreThoseOfTheWebUi) {
  const auto sigmas = [](SigmaSchedule schedule, int steps, bool sdxl = false) {
    std::vector<double> values;
    const auto plan = PlanOf(v1::SAMPLER_EULER, schedule, StableDiffusion(),
                             {.steps = steps, .sdxl = sdxl}, 0);
    for (const NoiseLevel& level : plan->levels) values.push_back(level.sigma);
    return values;
  };
  const std::vector<float> training = TrainingSigmasOf(
      *ParseSchedulerConfig(StableDiffusion(), "EulerDiscreteScheduler"));
  // k-diffusion's simple_scheduler and ComfyUI's ddim_scheduler.
  EXPECT_THAT(sigmas(SigmaSchedule::kSimple, 4),
              testing::ElementsAre(training[999], training[749], training[499],
                                   training[249], 0));
  EXPECT_THAT(sigmas(SigmaSchedule::kDdimUniform, 4),
              testing::ElementsAre(training[751], training[501], training[251],
                                   training[1], 0));
  // Timesteps 999, 666, 333 of 999, 666, 333, 0.
  const auto uniform = sigmas(SigmaSchedule::kSgmUniform, 3);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NEAR(uniform[i], training[999 - 333 * i], 1e-5);
  }
  // diffusers' AysSchedules; ComfyUI's between.
  const auto near = [](const std::vector<double>& expected) {
    return testing::Pointwise(testing::DoubleNear(1e-5), expected);
  };
  constexpr auto kAligned = SigmaSchedule::kAlignYourSteps;
  EXPECT_THAT(sigmas(kAligned, 10),
              near({14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652,
                    0.399, 0.152, 0}));
  EXPECT_THAT(sigmas(kAligned, 10, true),
              near({14.615, 6.315, 3.771, 2.181, 1.342, 0.862, 0.555, 0.380,
                    0.234, 0.113, 0}));
  EXPECT_THAT(sigmas(kAligned, 4),
              near({14.615, 3.226936, 1.396, 0.5100471, 0}));
  EXPECT_THAT(sigmas(kAligned, 7, true),
              near({14.615, 5.063013, 2.358453, 1.182566, 0.6293984, 0.3545704,
                    0.1543711, 0}));
}

// Numbers of diffusers' UniPCMultistepScheduler.
TEST(SamplerTableTest, UnipcReadsTheEndsOfItsSpacing) {
  json file = StableDiffusion();
  file["sigma_min"] = 0.1;
  file["sigma_max"] = 10.0;
  const auto plan =
      PlanOf(v1::SAMPLER_UNIPC, SigmaSchedule::kKarras, file, {.steps = 4}, 0);
  ASSERT_THAT(plan, IsOk());
  std::vector<double> sigmas;
  for (const NoiseLevel& level : plan->levels) {
    sigmas.push_back(level.sigma / level.alpha);
  }
  EXPECT_THAT(sigmas, testing::Pointwise(testing::DoubleNear(1e-5),
                                         {10.0, 2.93412, 0.6628858, 0.1, 0.0}));
  EXPECT_THAT(plan->timesteps, testing::ElementsAre(934, 667, 237, 10));
}

// Not of the flow's own, and without its shift: the same class's numbers. With
// exponential or beta sigmas it makes none.
TEST(SamplerTableTest, UnipcsKarrasSigmasOfAFlowAreOfBetas) {
  const json flow = {{"_class_name", "UniPCMultistepScheduler"},
                     {"prediction_type", "flow_prediction"},
                     {"use_flow_sigmas", true},
                     {"flow_shift", 3.0}};
  const auto expect = [&](SigmaSchedule schedule, const json& changes,
                          const std::vector<double>& expected,
                          const std::vector<double>& timesteps) {
    json file = flow;
    file.update(changes);
    const auto plan =
        PlanOf(v1::SAMPLER_UNIPC, schedule, file, {.steps = 5}, 0);
    ASSERT_THAT(plan, IsOk());
    std::vector<double> sigmas;
    for (const NoiseLevel& level : plan->levels) sigmas.push_back(level.sigma);
    EXPECT_THAT(sigmas,
                testing::Pointwise(testing::DoubleNear(2e-6), expected));
    EXPECT_EQ(plan->timesteps, timesteps);
  };
  const json karras = {{"use_karras_sigmas", true}};
  expect(SigmaSchedule::kDefault, karras,
         {0.9936872, 0.9736212, 0.8553095, 0.3294525, 0.0099023, 0},
         {993, 973, 855, 329, 9});
  expect(SigmaSchedule::kKarras, json::object(),
         {0.9936872, 0.9736212, 0.8553095, 0.3294525, 0.0099023, 0},
         {993, 973, 855, 329, 9});
  expect(SigmaSchedule::kKarras, {{"sigma_min", 0.05}, {"sigma_max", 20.0}},
         {0.952381, 0.8709246, 0.6507568, 0.2777846, 0.047619, 0},
         {952, 870, 650, 277, 47});
  expect(SigmaSchedule::kKarras, {{"final_sigmas_type", "sigma_min"}},
         {0.9936872, 0.9736212, 0.8553095, 0.3294525, 0.0099023, 0.0099023},
         {993, 973, 855, 329, 9});
}

TEST(SamplerTableTest, DynamicShiftFollowsTheImagesTokens) {
  json flow = FileFor("FlowMatchEulerDiscreteScheduler");
  flow["use_dynamic_shifting"] = true;
  const auto second_sigma = [&](int64_t tokens) {
    return PlanOf(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kDefault, flow,
                  {.steps = 2, .image_tokens = tokens, .sigmas = {1, 0.5}}, 0)
        ->levels[1]
        .sigma;
  };
  // exp(mu) of it to 1, with mu 0.5 at 256 tokens and 1.15 at 4096.
  EXPECT_NEAR(second_sigma(256), std::exp(0.5) / (std::exp(0.5) + 1), 1e-6);
  EXPECT_NEAR(second_sigma(4096), std::exp(1.15) / (std::exp(1.15) + 1), 1e-6);
  EXPECT_THAT(CreateSampler(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kDefault,
                            flow, {.steps = 2}, FromNoise(1)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "shifts by the image's tokens and was told 0"));
}

// Numbers of ComfyUI's ModelSamplingDiscreteFlow (shift 3, a table of 1000) and
// ModelSamplingFlux (mu 1.15, a table of 10,000).
TEST(SamplerTableTest, FlowModelsHaveTheSchedulesOfTables) {
  json sd3 = FileFor("FlowMatchEulerDiscreteScheduler");
  sd3["shift"] = 3.0;
  json flux = sd3;
  flux["use_dynamic_shifting"] = true;
  const auto sigmas = [](SamplerId id, SigmaSchedule schedule,
                         const json& file) {
    std::vector<double> values;
    const auto plan =
        PlanOf(id, schedule, file, {.steps = 7, .image_tokens = 4096}, 0);
    for (const NoiseLevel& level : plan->levels) values.push_back(level.sigma);
    return values;
  };
  const auto near = [](const std::vector<double>& expected) {
    return testing::Pointwise(testing::DoubleNear(2e-6), expected);
  };
  const std::vector<double> sgm = {1,         0.9475425, 0.8827878, 0.8008373,
                                   0.6937931, 0.5480456, 0.3379722, 0};
  for (SamplerId id : {v1::SAMPLER_FLOW_EULER, v1::SAMPLER_DPMPP_2M}) {
    EXPECT_THAT(sigmas(id, SigmaSchedule::kSgmUniform, sd3), near(sgm));
  }
  EXPECT_THAT(sigmas(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kSimple, sd3),
              near({1, 0.9477172, 0.8827160, 0.8003731, 0.6926803, 0.5458015,
                    0.3335925, 0}));
  EXPECT_THAT(sigmas(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kSimple, flux),
              near({1, 0.9498948, 0.8875904, 0.8081407, 0.7031691, 0.5582664,
                    0.3449280, 0}));
  EXPECT_THAT(sigmas(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kSgmUniform, flux),
              near({1, 0.9498901, 0.8876275, 0.8081811, 0.7032985, 0.5584353,
                    0.3453481, 0}));
}

TEST(SamplerTableTest, SigmasAreRefusedByNumberOrderAndRange) {
  const auto plan = [](SamplerId id, const std::vector<double>& sigmas) {
    const bool flow = id == v1::SAMPLER_FLOW_EULER;
    return PlanOf(id, SigmaSchedule::kDefault,
                  FileFor(flow ? "FlowMatchEulerDiscreteScheduler" : ""),
                  {.steps = 2, .sigmas = sigmas}, 0);
  };
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1, 0.5}), IsOk());
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1}),
              StatusIs(kInvalid, "1 sigmas are not one for each of 2 steps"));
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {0.5, 0.5}),
              StatusIs(kInvalid, "sigma 0.5 is not below 0.5"));
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1.5, 0.5}),
              StatusIs(kInvalid, "sigma 1.5"));
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1, 0}),
              StatusIs(kInvalid, "sigma 0"));
}

TEST(SamplerTableTest, PlansAreRefusedAsRunsAre) {
  const auto plan = [](SamplerId id, int steps, int first_step) {
    return PlanOf(id, SigmaSchedule::kDefault, StableDiffusion(),
                  {.steps = steps}, first_step);
  };
  EXPECT_THAT(plan(v1::SAMPLER_EULER, 0, 0), StatusIs(kInvalid, "steps 0"));
  EXPECT_THAT(plan(v1::SAMPLER_EULER, 7, 7),
              StatusIs(kInvalid, "first step 7 is not between 0 and 6"));
  EXPECT_THAT(plan(v1::SAMPLER_UNSPECIFIED, 7, 0),
              StatusIs(kInvalid, "sampler 0 is not known"));
}

TEST(SamplerTableTest, InversionIsNoRequestsSampler) {
  json scheduler = StableDiffusion();
  scheduler["_class_name"] = "DDIMInverseScheduler";
  EXPECT_THAT(DefaultSampler(scheduler),
              StatusIs(absl::StatusCode::kUnimplemented, "DDIMInverse"));
  for (const SamplerSpec& spec : Samplers()) EXPECT_FALSE(spec.inverts);
}

TEST(SamplerTableTest, InversionRefusesWhatTheReferenceCannot) {
  const auto status = [](const json& changes) {
    json scheduler = StableDiffusion();
    scheduler.update(changes);
    SamplerStart start;
    start.sample = FromNoise(1).noise;
    return CreateSamplerOfClass("DDIMInverseScheduler", SigmaSchedule::kDefault,
                                scheduler, {.steps = 7}, start)
        .status();
  };
  const auto kUnimplemented = absl::StatusCode::kUnimplemented;
  EXPECT_THAT(status(json::object()), IsOk());
  EXPECT_THAT(status({{"prediction_type", "sample"}}),
              StatusIs(kUnimplemented, "prediction_type"));
  EXPECT_THAT(status({{"timestep_spacing", "linspace"}}),
              StatusIs(kUnimplemented, "timestep_spacing"));
}

}  // namespace
}  // namespace genzo
