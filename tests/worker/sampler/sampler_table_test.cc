#include "worker/sampler/sampler_table.h"

#include <cmath>

#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/sampler/walks.h"

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
    EXPECT_THAT(SchedulesOf(id), testing::ElementsAre(SigmaSchedule::kDefault));
  }
  EXPECT_THAT(
      Create(v1::SAMPLER_DDIM, SigmaSchedule::kKarras, StableDiffusion()),
      StatusIs(absl::StatusCode::kInvalidArgument,
               "schedule karras is not one of sampler ddim: default"));
}

TEST(SamplerTableTest, EverySamplerWalksOnEachOfItsSchedules) {
  for (const SamplerSpec& spec : Samplers()) {
    EXPECT_EQ(SchedulesOf(spec.id).front(), SigmaSchedule::kDefault);
    for (SigmaSchedule schedule : SchedulesOf(spec.id)) {
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
              StatusIs(kUnimplemented, "prediction_type"));
  EXPECT_THAT(Create(v1::SAMPLER_FLOW_EULER, SigmaSchedule::kDefault,
                     StableDiffusion()),
              StatusIs(kUnimplemented, "prediction_type"));
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

TEST(SamplerTableTest, SigmasAreRefusedByNumberOrderAndRange) {
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
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
              StatusIs(kInvalid, "sigma 0.5 is not over 0 and below 0.5"));
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1.5, 0.5}),
              StatusIs(kInvalid, "sigma 1.5"));
  EXPECT_THAT(plan(v1::SAMPLER_FLOW_EULER, {1, 0}),
              StatusIs(kInvalid, "sigma 0"));
}

TEST(SamplerTableTest, PlansAreRefusedAsRunsAre) {
  const auto kInvalid = absl::StatusCode::kInvalidArgument;
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
