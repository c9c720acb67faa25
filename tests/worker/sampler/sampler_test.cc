// Numbers are compared with the reference schedulers by genzo_parity; here is
// what goldens cannot tell.

#include "ATen/ops/isfinite.h"
#include "ATen/ops/ones.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/match.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/sampler/walks.h"
#include "worker/sampler/create_sampler.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

using nlohmann::json;

SamplerStart Start(uint64_t seed) {
  SamplerStart start = FromNoise(seed);
  start.noise = start.noise.narrow(2, 0, 4).narrow(3, 0, 4);
  return start;
}

// Walks with a denoiser that always sees `clean`.
at::Tensor WalkTowards(const at::Tensor& clean, const SamplerSpec& spec,
                       int steps) {
  json scheduler = FileFor(spec.scheduler_class);
  scheduler["set_alpha_to_one"] = true;
  auto sampler = *CreateSampler(spec.id, SigmaSchedule::kDefault, scheduler,
                                {.steps = steps}, Start(1));
  while (sampler->Next().has_value()) {
    const NoiseLevel level = sampler->level();
    const at::Tensor noise =
        (sampler->latent() - level.alpha * clean) / level.sigma;
    if (absl::StartsWith(spec.scheduler_class, "FlowMatch")) {
      sampler->Take(noise - clean);
    } else if (spec.id == v1::SAMPLER_SCORE_VE) {
      sampler->Take(-noise / level.sigma);  // the score
    } else {
      sampler->Take(noise);
    }
  }
  return sampler->latent();
}

TEST(SamplerTest, EverySamplerFindsTheCleanSample) {
  const at::Tensor clean = at::randn({1, 4, 4, 4});
  for (const SamplerSpec& spec : Samplers()) {
    // The second look of PLMS costs accuracy. Euler's steps in time need more.
    const int steps = spec.id == v1::SAMPLER_SCORE_VP ? 500 : 20;
    EXPECT_THAT(WalkTowards(clean, spec, steps), TensorNear(clean, 0.06))
        << spec.name;
  }
}

TEST(SamplerTest, TheSameSeedGivesTheSameWalk) {
  const at::Tensor clean = at::randn({1, 4, 4, 4});
  for (const SamplerSpec& spec : Samplers()) {
    EXPECT_THAT(WalkTowards(clean, spec, 6),
                TensorEquals(WalkTowards(clean, spec, 6)))
        << spec.name;
  }
}

TEST(SamplerTest, TellsEvaluationsOfPlms) {
  auto sampler = *CreateSampler(v1::SAMPLER_PNDM, SigmaSchedule::kDefault,
                                StableDiffusion(), {.steps = 5}, Start(1));
  EXPECT_EQ(sampler->progress().evaluations, 6)
      << "PLMS looks twice at the second timestep";
  EXPECT_FALSE(sampler->denoised().defined());
  for (int i = 0; i < 6; ++i) {
    EXPECT_EQ(sampler->progress().evaluations_done, i);
    ASSERT_TRUE(sampler->Next().has_value());
    sampler->Take(at::zeros({1, 4, 4, 4}));
    EXPECT_TRUE(sampler->denoised().defined());
  }
  EXPECT_FALSE(sampler->Next().has_value());
}

TEST(SamplerTest, OneStepIsEnough) {
  for (const SamplerSpec& spec : Samplers()) {
    auto sampler =
        *CreateSampler(spec.id, SigmaSchedule::kDefault,
                       FileFor(spec.scheduler_class), {.steps = 1}, Start(1));
    while (sampler->Next().has_value()) {
      sampler->Take(at::ones({1, 4, 4, 4}));
    }
    EXPECT_EQ(sampler->progress().steps_done, 1);
    EXPECT_TRUE(at::isfinite(sampler->latent()).all().item<bool>())
        << spec.name;
  }
}

TEST(SamplerTest, RefusesStepCountsByName) {
  const auto create = [&](const json& scheduler, int steps) {
    return CreateSampler(v1::SAMPLER_PNDM, SigmaSchedule::kDefault, scheduler,
                         {.steps = steps}, Start(1))
        .status();
  };
  EXPECT_THAT(create(StableDiffusion(), 0), StatusIs(kInvalid, "steps 0"));
  EXPECT_THAT(create(StableDiffusion(), 1001),
              StatusIs(kInvalid, "steps 1001"));
  json runge_kutta = StableDiffusion();
  runge_kutta["skip_prk_steps"] = false;
  EXPECT_THAT(create(runge_kutta, 3),
              StatusIs(kInvalid, "not between 4 and 1000"));
}

TEST(SamplerTableTest, NamesUnknownClasses) {
  EXPECT_THAT(DefaultSampler({{"_class_name", "Unheard"}}),
              StatusIs(absl::StatusCode::kUnimplemented, "\"Unheard\""));
  EXPECT_EQ(*DefaultSampler(StableDiffusion()), v1::SAMPLER_PNDM);
  EXPECT_THAT(DefaultSampler({{"_class_name", 5}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "_class_name 5"));
  EXPECT_THAT(DefaultSampler({{"_class_name", nullptr}}),
              StatusIs(absl::StatusCode::kUnimplemented, "\"\""));
}

// The reference's parallel classes take the same steps from the same keys.
TEST(SamplerTableTest, ParallelClassesWalkAsThePlainOnes) {
  for (const char* kind : {"DDIM", "DDPM"}) {
    const auto final_latent = [&](const std::string& name) {
      json scheduler = StableDiffusion();
      scheduler["_class_name"] = name;
      auto sampler = CreateSamplerOfClass(name, SigmaSchedule::kDefault,
                                          scheduler, {.steps = 3}, Start(1));
      EXPECT_THAT(sampler, IsOk());
      while ((*sampler)->Next().has_value()) {
        (*sampler)->Take(0.5 * (*sampler)->latent());
      }
      return (*sampler)->latent();
    };
    json parallel = StableDiffusion();
    parallel["_class_name"] = std::string(kind) + "ParallelScheduler";
    json plain = StableDiffusion();
    plain["_class_name"] = std::string(kind) + "Scheduler";
    EXPECT_EQ(*DefaultSampler(parallel), *DefaultSampler(plain));
    EXPECT_THAT(final_latent(parallel["_class_name"]),
                TensorEquals(final_latent(plain["_class_name"])));
  }
}

TEST(SchedulerConfigTest, MissingKeysHaveTheClasssDefaults) {
  EXPECT_EQ(ParseSchedulerConfig({}, "PNDMScheduler")->timestep_spacing,
            TimestepSpacing::kLeading);
  EXPECT_EQ(
      ParseSchedulerConfig({}, "EulerDiscreteScheduler")->timestep_spacing,
      TimestepSpacing::kLinspace);
  EXPECT_TRUE(ParseSchedulerConfig({}, "DDIMScheduler")->clip_sample);
  EXPECT_FALSE(ParseSchedulerConfig({}, "PNDMScheduler")->set_alpha_to_one);
  EXPECT_FALSE(ParseSchedulerConfig({{"thresholding", true},
                                     {"predict_x0", false},
                                     {"final_sigmas_type", "sigma_min"}},
                                    "UniPCMultistepScheduler")
                   ->thresholding)
      << "it has no clean estimate to bound";
}

TEST(SchedulerConfigTest, NamesBadValues) {
  const auto parse = [](const json& object) {
    return ParseSchedulerConfig(object, "DPMSolverMultistepScheduler");
  };
  EXPECT_THAT(parse({{"beta_schedule", "sigmoid"}}),
              StatusIs(absl::StatusCode::kUnimplemented, "\"sigmoid\""));
  EXPECT_THAT(parse({{"variance_type", "learned"}}),
              StatusIs(absl::StatusCode::kUnimplemented, "variance_type"));
  EXPECT_THAT(parse({{"solver_order", 4}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "solver_order 4"));
  EXPECT_THAT(parse({{"beta_end", 2.0}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "beta_start"));
  EXPECT_THAT(parse({{"trained_betas", {0.1, 0.2}}}),
              StatusIs(absl::StatusCode::kInvalidArgument, "2 trained_betas"));
}

TEST(PredictionTest, ConversionsAgree) {
  const at::Tensor clean = at::randn({1, 4, 4, 4});
  const at::Tensor noise = at::randn({1, 4, 4, 4});
  for (const NoiseLevel& level : {NoiseLevel{0.6, 0.8}, NoiseLevel{1.0, 3.0}}) {
    const double scale = std::hypot(level.alpha, level.sigma);
    const at::Tensor sample = level.alpha * clean + level.sigma * noise;
    const at::Tensor velocity =
        (level.alpha * noise - level.sigma * clean) / scale;
    for (const auto& [type, prediction] :
         std::vector<std::pair<PredictionType, at::Tensor>>{
             {PredictionType::kEpsilon, noise},
             {PredictionType::kVelocity, velocity},
             {PredictionType::kSample, clean}}) {
      EXPECT_THAT(CleanEstimate(type, prediction, sample, level),
                  TensorNear(clean, 1e-5));
      EXPECT_THAT(NoiseEstimate(type, prediction, sample, level),
                  TensorNear(noise, 1e-5));
    }
  }
}

TEST(PredictionTest, AFlowIsTheStraightPathsVelocity) {
  const at::Tensor clean = at::randn({1, 4, 4, 4});
  const at::Tensor noise = at::randn({1, 4, 4, 4});
  const NoiseLevel level = {.alpha = 0.7, .sigma = 0.3};
  const at::Tensor sample = Noised(clean, noise, level);
  EXPECT_THAT(
      CleanEstimate(PredictionType::kFlow, noise - clean, sample, level),
      TensorNear(clean, 1e-5));
  EXPECT_THAT(
      NoiseEstimate(PredictionType::kFlow, noise - clean, sample, level),
      TensorNear(noise, 1e-5));
}

TEST(SigmasTest, BetaSigmasAreQuantiles) {
  const std::vector<double> sigmas = BetaSigmas(1, 0, 5);
  EXPECT_EQ(sigmas.front(), 1);
  EXPECT_EQ(sigmas.back(), 0);
  EXPECT_NEAR(sigmas[2], 0.5, 1e-12);
  EXPECT_NEAR(sigmas[1] + sigmas[3], 1, 1e-12) << "the mirror image";
  EXPECT_GT(sigmas[1], 0.75) << "dense at the ends";
}

TEST(SigmasTest, TimestepsAndSigmasAreInverse) {
  const auto training = TrainingSigmas(MakeAlphasCumprod(
      *ParseSchedulerConfig(StableDiffusion(), "EulerDiscreteScheduler")));
  for (double t : {0.0, 1.0, 17.0, 500.0, 999.0}) {
    EXPECT_NEAR(TimestepOfSigma(training, SigmaAt(training, t)), t, 1e-3);
  }
}

TEST(TimestepsTest, StaysWithinTheTrainedRange) {
  for (const char* spacing : {"leading", "trailing", "linspace"}) {
    json scheduler = StableDiffusion();
    scheduler["timestep_spacing"] = spacing;
    const auto config = *ParseSchedulerConfig(scheduler, "DDIMScheduler");
    for (int steps = 1; steps <= 1000; ++steps) {
      const auto timesteps = WholeTimesteps(config, steps);
      ASSERT_EQ(timesteps.size(), static_cast<size_t>(steps));
      ASSERT_GE(timesteps.back(), 0) << spacing << " " << steps;
      ASSERT_LE(timesteps.front(), 999) << spacing << " " << steps;
      ASSERT_TRUE(std::is_sorted(timesteps.rbegin(), timesteps.rend()));
    }
  }
}

// diffusers' add_noise() takes sigmas[step_index], which between the two looks
// of a step is the step's end: DPM2's latent is in the middle then.
TEST(KnownLevelTest, KnownPartsAreOfStepsWhereDpm2IsInTheMiddle) {
  for (const SamplerId id :
       {v1::SAMPLER_DPM2, v1::SAMPLER_DPM2_ANCESTRAL, v1::SAMPLER_DPMPP_SDE}) {
    const auto plan =
        PlanOf(id, SigmaSchedule::kDefault, StableDiffusion(), {.steps = 3}, 0);
    SamplerStart start = FromNoise(1);
    start.source = std::make_shared<SeededNoise>(1);
    auto run = CreateSampler(id, SigmaSchedule::kDefault, StableDiffusion(),
                             {.steps = 3}, start);
    ASSERT_THAT(run, IsOk());
    EXPECT_EQ((*run)->known_level().sigma, plan->levels[0].sigma);
    WalkUntil(**run, 1);
    EXPECT_EQ((*run)->level().sigma, plan->levels[1].sigma);
    EXPECT_EQ((*run)->known_level().sigma, plan->levels[2].sigma);
    // At eta 1 the middle of an ancestral step is its end's level.
    EXPECT_EQ(plan->levels[2].sigma < plan->levels[1].sigma - 1e-6,
              id != v1::SAMPLER_DPM2_ANCESTRAL);
    WalkUntil(**run, 2);
    EXPECT_EQ((*run)->known_level().sigma, plan->levels[2].sigma);
  }
}

}  // namespace
}  // namespace genzo
