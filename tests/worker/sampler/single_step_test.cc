// Single steps of single samplers, where one can say what must come out.

#include <algorithm>
#include <cmath>

#include "ATen/ops/abs.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/max.h"
#include "ATen/ops/std.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/sampler/walks.h"
#include "worker/sampler/noise_schedule.h"
#include "worker/sampler/prediction.h"
#include "worker/sampler/sigmas.h"
#include "worker/sampler/timesteps.h"

namespace genzo {
namespace {

using nlohmann::json;

std::unique_ptr<SamplerRun> Create(SamplerId id, const SamplerOptions& options,
                                   const json& changes = json::object(),
                                   uint64_t later_seed = 1) {
  json scheduler = StableDiffusion();
  scheduler.update(changes);
  SamplerStart start = FromNoise(/*seed=*/1);
  start.source = std::make_shared<SeededNoise>(later_seed);
  return *CreateSampler(id, SigmaSchedule::kDefault, scheduler, options, start);
}

double Largest(const at::Tensor& tensor) {
  return at::max(at::abs(tensor)).item<double>();
}

TEST(DdimTest, DrawsNoiseOnlyWithEta) {
  const auto end = [](double eta, uint64_t later_seed) {
    const auto run = Create(v1::SAMPLER_DDIM, {.steps = 5, .eta = eta},
                            json::object(), later_seed);
    Finish(*run);
    return run->latent();
  };
  EXPECT_THAT(end(0, 1), TensorEquals(end(0, 2)));
  EXPECT_THAT(end(0.5, 1), testing::Not(TensorNear(end(0.5, 2), 0.01)));
}

TEST(DdimTest, ClipsTheEstimateToTheRange) {
  const auto run = Create(v1::SAMPLER_DDIM, {.steps = 5},
                          {{"clip_sample", true}, {"clip_sample_range", 0.5}});
  WalkUntil(*run, 1);
  EXPECT_EQ(Largest(run->denoised()), 0.5);
}

TEST(DdimTest, ThresholdsTheEstimateRatherThanClippingIt) {
  const auto run = Create(v1::SAMPLER_DDIM, {.steps = 5},
                          {{"thresholding", true}, {"clip_sample_range", 0.5}});
  WalkUntil(*run, 1);
  EXPECT_EQ(Largest(run->denoised()), 1);
}

TEST(DdimTest, ZeroTerminalSnrStartsFromPureNoise) {
  const auto run = Create(v1::SAMPLER_DDIM, {.steps = 5},
                          {{"rescale_betas_zero_snr", true},
                           {"timestep_spacing", "trailing"},
                           {"prediction_type", "v_prediction"}});
  EXPECT_EQ(run->level().alpha, 0);
  Finish(*run);
  EXPECT_TRUE(std::isfinite(Largest(run->latent())));
}

TEST(PndmTest, OneStepIsDdims) {
  const auto pndm = Create(v1::SAMPLER_PNDM, {.steps = 1});
  const auto ddim = Create(v1::SAMPLER_DDIM, {.steps = 1});
  Finish(*pndm);
  Finish(*ddim);
  EXPECT_THAT(pndm->latent(), TensorNear(ddim->latent(), 1e-5));
}

// Of pure noise there is no signal to scale: the reference's class does not
// know the key.
TEST(PndmTest, ZeroTerminalSnrStaysFinite) {
  for (const bool runge_kutta : {false, true}) {
    const auto run = Create(v1::SAMPLER_PNDM, {.steps = 5},
                            {{"rescale_betas_zero_snr", true},
                             {"timestep_spacing", "trailing"},
                             {"skip_prk_steps", !runge_kutta},
                             {"prediction_type", "v_prediction"}});
    EXPECT_LT(run->level().alpha, 1e-3);
    Finish(*run);
    EXPECT_TRUE(std::isfinite(Largest(run->latent())));
  }
}

TEST(PndmTest, TheSecondLookRepeatsTheFirstStepWithTheMean) {
  const at::Tensor a = FromNoise(5).noise;
  const at::Tensor b = FromNoise(6).noise;
  const auto twice = Create(v1::SAMPLER_PNDM, {.steps = 4});
  twice->Take(a);
  twice->Take(b);
  const auto mean = Create(v1::SAMPLER_PNDM, {.steps = 4});
  mean->Take((a + b) / 2);
  EXPECT_THAT(twice->latent(), TensorNear(mean->latent(), 1e-5));
}

TEST(EulerTest, FollowsTheSlopeToTheNextSigma) {
  const auto run = Create(v1::SAMPLER_EULER, {.steps = 5});
  const double from = run->level().sigma;
  const at::Tensor before = run->latent();
  const at::Tensor slope = FromNoise(5).noise;  // the noise is the slope
  EXPECT_THAT(run->Next()->sample,
              TensorNear(before / std::hypot(from, 1), 1e-6));
  run->Take(slope);
  EXPECT_LT(run->level().sigma, from);
  EXPECT_THAT(run->latent(),
              TensorNear(before + slope * (run->level().sigma - from), 1e-5));
}

TEST(EulerTest, LeadingSpacingStartsWithTheVarianceOfAWholeSample) {
  const auto linspace = Create(v1::SAMPLER_EULER, {.steps = 5},
                               {{"timestep_spacing", "linspace"}});
  const auto leading = Create(v1::SAMPLER_EULER, {.steps = 5},
                              {{"timestep_spacing", "leading"}});
  const at::Tensor noise = FromNoise(1).noise;
  EXPECT_THAT(linspace->latent(),
              TensorNear(noise * linspace->level().sigma, 1e-6));
  EXPECT_THAT(leading->latent(),
              TensorNear(noise * std::hypot(leading->level().sigma, 1), 1e-6));
}

TEST(EulerAncestralTest, NeedsASource) {
  SamplerStart start = FromNoise(1);
  start.source = nullptr;
  const auto run =
      *CreateSampler(v1::SAMPLER_EULER_ANCESTRAL, SigmaSchedule::kDefault,
                     StableDiffusion(), {.steps = 5}, start);
  EXPECT_THROW(WalkUntil(*run, 1), c10::Error);
}

TEST(DpmppTest, TheLastStepEndsAtTheEstimate) {
  const auto run = Create(v1::SAMPLER_DPMPP_2M, {.steps = 5});
  Finish(*run);
  EXPECT_THAT(run->latent(), TensorNear(run->denoised(), 1e-5));
}

TEST(DpmppTest, HigherOrdersUseTheHistory) {
  const auto end = [](int order) {
    const auto id = order == 3 ? v1::SAMPLER_DPMPP_3M : v1::SAMPLER_DPMPP_2M;
    const auto run = Create(id, {.steps = 5}, {{"solver_order", order}});
    Finish(*run);
    return run->latent();
  };
  EXPECT_THAT(end(2), testing::Not(TensorNear(end(1), 1e-3)));
  EXPECT_THAT(end(3), testing::Not(TensorNear(end(2), 1e-3)));
}

TEST(PredictionTest, ThresholdsStayWithinTheirBounds) {
  const at::Tensor clean = FromNoise(1).noise * 10;
  EXPECT_EQ(Largest(DynamicThreshold(clean, 0.9, /*max_value=*/100)), 1);
  // Bounded by 1.5 before it is divided by it.
  const at::Tensor bounded = DynamicThreshold(clean, 0.9, /*max_value=*/1.5);
  EXPECT_EQ(Largest(bounded), 1);
  EXPECT_THAT(DynamicThreshold(clean / 1000, 0.9, 100),
              TensorEquals(clean / 1000))
      << "a bound below 1 counts as 1";
}

TEST(NoiseScheduleTest, BeforeTheFirstTimestepIsThePicture) {
  SchedulerConfig config;
  const std::vector<float> products = {0.9F, 0.5F, 0.1F};
  EXPECT_EQ(AlphaProdAt(config, products, -1), 1);
  EXPECT_EQ(AlphaProdAt(config, products, 1), 0.5F);
  EXPECT_EQ(AlphaProdAt(config, products, 7), 0.1F);
  config.set_alpha_to_one = false;
  EXPECT_EQ(AlphaProdAt(config, products, -1), 0.9F);
}

TEST(NoiseScheduleTest, ZeroTerminalSnrEndsWithoutSignal) {
  SchedulerConfig config;
  config.rescale_betas_zero_snr = true;
  EXPECT_EQ(MakeAlphasCumprod(config).back(), 0);
  EXPECT_GT(MakeAlphasCumprodAboveZero(config).back(), 0);
  EXPECT_NEAR(TrainingSigmas(MakeAlphasCumprodAboveZero(config)).back(), 4096,
              1);
}

TEST(SigmasTest, SpacingsKeepTheirEnds) {
  for (const auto& sigmas :
       {KarrasSigmas(14.6, 0.03, 9), ExponentialSigmas(14.6, 0.03, 9)}) {
    ASSERT_EQ(sigmas.size(), 9U);
    EXPECT_NEAR(sigmas.front(), 14.6, 1e-9);
    EXPECT_NEAR(sigmas.back(), 0.03, 1e-9);
    EXPECT_TRUE(std::is_sorted(sigmas.rbegin(), sigmas.rend()));
  }
  const std::vector<double> even = ExponentialSigmas(16, 1, 5);
  EXPECT_NEAR(even[1], 8, 1e-9);
}

TEST(TimestepsTest, SpacingsAreTheReferences) {
  SchedulerConfig config;
  config.timestep_spacing = TimestepSpacing::kLeading;
  config.steps_offset = 1;
  EXPECT_THAT(WholeTimesteps(config, 3), testing::ElementsAre(667, 334, 1));
  config.timestep_spacing = TimestepSpacing::kTrailing;
  EXPECT_THAT(WholeTimesteps(config, 3), testing::ElementsAre(999, 666, 332));
  config.timestep_spacing = TimestepSpacing::kLinspace;
  EXPECT_THAT(SpacedTimesteps(config, 3), testing::ElementsAre(999, 499.5, 0));
  EXPECT_THAT(WholeTimesteps(config, 3), testing::ElementsAre(999, 500, 0));
}

TEST(DdpmTest, ALearnedVarianceComesWithTheMean) {
  const json learned = {{"variance_type", "learned_range"}};
  const auto end = [&](double share) {
    const auto run = Create(v1::SAMPLER_DDPM, {.steps = 5}, learned);
    const at::Tensor mean = at::zeros({1, 4, 8, 8});
    run->Take(at::cat({mean, mean + share}, 1));
    return run->latent();
  };
  // -1 is the posterior's variance, which is that without a learned one.
  const auto fixed = Create(v1::SAMPLER_DDPM, {.steps = 5});
  fixed->Take(at::zeros({1, 4, 8, 8}));
  EXPECT_THAT(end(-1), TensorNear(fixed->latent(), 1e-6));
  EXPECT_THAT(end(1), testing::Not(TensorNear(fixed->latent(), 1e-3)));
}

TEST(TcdTest, GammaIsAThirdUnlessChosen) {
  const auto end = [](const SamplerOptions& options, uint64_t later_seed) {
    const auto run =
        Create(v1::SAMPLER_TCD, options, json::object(), later_seed);
    Finish(*run);
    return run->latent();
  };
  EXPECT_THAT(end({.steps = 4}, 1),
              TensorEquals(end({.steps = 4, .eta = 0.3}, 1)));
  EXPECT_THAT(end({.steps = 4, .eta = 0}, 1),
              TensorEquals(end({.steps = 4, .eta = 0}, 2)))
      << "without gamma nothing is drawn";
}

TEST(EdmHeunTest, IsHeunWithoutChurn) {
  const auto plain = Create(v1::SAMPLER_HEUN, {.steps = 5});
  const auto edm = Create(v1::SAMPLER_EDM_HEUN, {.steps = 5});
  Finish(*plain);
  Finish(*edm);
  EXPECT_THAT(edm->latent(), TensorEquals(plain->latent()));
}

TEST(EdmHeunTest, TheDenoiserLooksAtTheRaisedLevel) {
  const SamplerOptions options = {.steps = 5, .churn = {.amount = 1}};
  const auto plain = Create(v1::SAMPLER_HEUN, {.steps = 5});
  const auto edm =
      Create(v1::SAMPLER_EDM_HEUN, options, json::object(), /*later_seed=*/2);
  // S_churn / steps.
  EXPECT_NEAR(edm->level().sigma, plain->level().sigma * 1.2, 1e-4);
  // The noise that is there has that level.
  EXPECT_NEAR(at::std(edm->latent()).item<double>() / edm->level().sigma, 1,
              0.1);
  const auto some =
      Create(v1::SAMPLER_EDM_HEUN,
             {.steps = 5, .churn = {.amount = 1, .max_sigma = 1}});
  EXPECT_EQ(some->level().sigma, plain->level().sigma);
}

TEST(DpmppSdeTest, DrawsTheNoiseOfItsIntervals) {
  SamplerStart start = FromNoise(1);
  const auto run =
      *CreateSampler(v1::SAMPLER_DPMPP_SDE, SigmaSchedule::kDefault,
                     StableDiffusion(), {.steps = 3}, start);
  const double from = run->level().sigma;
  const at::Tensor before = run->latent();
  run->Take(at::zeros({1, 4, 8, 8}));  // no noise: all of the latent is clean
  const AncestralStep step(from, run->level().sigma);
  SeededNoise noise(1);
  EXPECT_THAT(run->latent(),
              TensorNear(before + step.up * noise.Between({1, 4, 8, 8}, from,
                                                          run->level().sigma),
                         1e-5));
}

// sample_dpmpp_2s_ancestral of k-diffusion, over t = -log(sigma).
TEST(Dpmpp2sAncestralTest, StepsAsKDiffusionDoes) {
  const auto run =
      *CreateSampler(v1::SAMPLER_DPMPP_2S_ANCESTRAL, SigmaSchedule::kDefault,
                     StableDiffusion(), {.steps = 3}, FromNoise(1));
  const at::Tensor x = run->latent();
  const double from = run->level().sigma;
  WalkUntil(*run, 1);
  const at::Tensor denoised = run->denoised();
  const at::Tensor between = run->latent();
  const double middle = run->level().sigma;
  WalkUntil(*run, 2);
  const AncestralStep step(from, run->level().sigma);
  const double h = std::log(from) - std::log(step.down);
  EXPECT_NEAR(middle, std::exp(std::log(from) - h / 2), 1e-4);
  EXPECT_THAT(
      between,
      TensorNear(std::exp(-h / 2) * x - std::expm1(-h / 2) * denoised, 1e-4));
  SeededNoise noise(1);
  noise.Draw({1, 4, 8, 8});  // the start
  EXPECT_THAT(run->latent(),
              TensorNear(std::exp(-h) * x - std::expm1(-h) * run->denoised() +
                             step.up * noise.Draw({1, 4, 8, 8}),
                         1e-4));
}

TEST(LmsTest, FirstStepIsEulersAndLaterOnesLookBack) {
  const auto lms = Create(v1::SAMPLER_LMS, {.steps = 6});
  const auto euler = Create(v1::SAMPLER_EULER, {.steps = 6});
  WalkUntil(*lms, 1);
  WalkUntil(*euler, 1);
  EXPECT_THAT(lms->latent(), TensorNear(euler->latent(), 1e-6));
  WalkUntil(*lms, 2);
  WalkUntil(*euler, 2);
  EXPECT_THAT(lms->latent(), testing::Not(TensorNear(euler->latent(), 1e-3)));
}

}  // namespace
}  // namespace genzo
