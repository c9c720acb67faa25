// What holds at every evaluation of every walk: levels, positions, starts.

#include <cmath>

#include "ATen/ops/clamp.h"
#include "ATen/ops/exp.h"
#include "ATen/ops/std.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "tests/worker/sampler/walks.h"
#include "worker/sampler/prediction.h"
#include "worker/weights/json_config.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

using nlohmann::json;

const std::vector<int64_t> kShape = {1, 4, 32, 32};

// A recorded call: its tensors, and the reference's scheduler configuration.
struct Recording {
  explicit Recording(const std::string& name)
      : file(*SafetensorsFile::Open(SourcePath("tests/data/reference/goldens/" +
                                               name + ".safetensors"))),
        manifest(*JsonConfig::Parse(ReadFile(
            SourcePath("tests/data/reference/goldens/" + name + ".json")))) {}

  at::Tensor Get(const std::string& tensor) const {
    return *file->Read(tensor);
  }

  std::shared_ptr<const SafetensorsFile> file;
  json manifest;
};

std::unique_ptr<SamplerRun> Create(SamplerId id, int steps,
                                   const SamplerStart& start,
                                   const json& changes = json::object()) {
  json scheduler = StableDiffusion();
  scheduler.update(changes);
  auto sampler = CreateSampler(id, SigmaSchedule::kDefault, scheduler,
                               {.steps = steps}, start);
  return sampler.ok() ? *std::move(sampler) : nullptr;
}

SamplerStart LargeStart(uint64_t seed) {
  SamplerStart start;
  start.source = std::make_shared<SeededNoise>(seed);
  start.noise = start.source->Draw(kShape);
  return start;
}

// The noise in a latent, if `clean` is what is clean in it.
at::Tensor NoiseIn(const SamplerRun& run, const at::Tensor& clean) {
  return (run.latent() - run.level().alpha * clean) / run.level().sigma;
}

// Answers with the noise that is truly there and compares the latent with its
// level at every evaluation.
void ExpectLevels(SamplerRun& run, const at::Tensor& clean, double bound) {
  const at::Tensor noise = NoiseIn(run, clean);
  while (run.Next().has_value()) {
    run.Take(noise);
    const WalkProgress at = run.progress();
    ASSERT_THAT(run.latent(),
                TensorNear(Noised(clean, noise, run.level()), bound))
        << at.evaluations_done << " of " << at.evaluations;
    ASSERT_THAT(run.denoised(), TensorNear(clean, 30 * bound));
  }
}

TEST(LevelTest, IsTheLatentsAtEveryEvaluation) {
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  for (int steps : {5, 8, 21}) {
    for (SamplerId id : {v1::SAMPLER_DDIM, v1::SAMPLER_PNDM, v1::SAMPLER_EULER,
                         v1::SAMPLER_DPMPP_2M}) {
      SCOPED_TRACE(testing::Message() << "sampler " << id << ", " << steps);
      ExpectLevels(*Create(id, steps, LargeStart(1)), clean, 1e-4);
    }
  }
}

TEST(LevelTest, IsTheLatentsInRungeKuttaSteps) {
  // 1000 / 8 is odd: the middle of a step lies between two timesteps.
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  ExpectLevels(
      *Create(v1::SAMPLER_PNDM, 5, LargeStart(1), {{"skip_prk_steps", false}}),
      clean, 1e-4);
  ExpectLevels(
      *Create(v1::SAMPLER_PNDM, 8, LargeStart(1), {{"skip_prk_steps", false}}),
      clean, 5e-3);
}

TEST(LevelTest, IsTheLatentsFromAPicture) {
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  SamplerStart start = LargeStart(1);
  start.sample = clean;
  start.first_step = 3;
  for (SamplerId id :
       {v1::SAMPLER_DDIM, v1::SAMPLER_EULER, v1::SAMPLER_DPMPP_2M}) {
    const auto run = Create(id, 7, start);
    EXPECT_THAT(NoiseIn(*run, clean), TensorNear(start.noise, 1e-5)) << id;
    ExpectLevels(*run, clean, 1e-4);
  }
}

TEST(LevelTest, IsTheLatentsOnTheStraightPath) {
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  for (const char* klass :
       {"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler"}) {
    for (const int first_step : {0, 3}) {
      SamplerStart start = LargeStart(1);
      start.first_step = first_step;
      start.sample = clean;
      const auto run = *CreateSamplerOfClass(
          klass, SigmaSchedule::kDefault, FileFor(klass), {.steps = 7}, start);
      EXPECT_EQ(run->level().alpha, 1 - run->level().sigma);
      const at::Tensor velocity = start.noise - clean;
      while (run->Next().has_value()) {
        EXPECT_NEAR(run->Next()->timestep, 1000 * run->level().sigma, 1e-3);
        run->Take(velocity);
        EXPECT_THAT(run->latent(),
                    TensorNear(Noised(clean, start.noise, run->level()), 1e-5));
        EXPECT_THAT(run->denoised(), TensorNear(clean, 1e-5));
      }
      EXPECT_EQ(run->level().sigma, 0);
    }
  }
}

TEST(LevelTest, AncestralNoiseKeepsTheLevelsVariance) {
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  const auto run = Create(v1::SAMPLER_EULER_ANCESTRAL, 9, LargeStart(1));
  for (int i = 0; i < 8; ++i) {
    run->Take(NoiseIn(*run, clean));
    EXPECT_NEAR(at::std(NoiseIn(*run, clean)).item<double>(), 1, 0.06) << i;
  }
  run->Take(NoiseIn(*run, clean));
  EXPECT_EQ(run->level().sigma, 0);
  EXPECT_THAT(run->latent(), TensorNear(clean, 1e-4));
}

TEST(LevelTest, InversionLeadsToTheNoiseThatWasSeen) {
  const at::Tensor clean = SeededNoise(7).Draw(kShape);
  const at::Tensor noise = SeededNoise(8).Draw(kShape);
  SamplerStart start;
  start.sample = clean;
  json scheduler = StableDiffusion();
  scheduler["set_alpha_to_one"] = true;
  const auto run =
      *CreateSamplerOfClass("DDIMInverseScheduler", SigmaSchedule::kDefault,
                            scheduler, {.steps = 7}, start);
  EXPECT_THAT(run->latent(), TensorEquals(clean));
  double alpha = 1;
  while (run->Next().has_value()) {
    run->Take(noise);
    EXPECT_LT(run->level().alpha, alpha);
    alpha = run->level().alpha;
    EXPECT_THAT(run->latent(),
                TensorNear(Noised(clean, noise, run->level()), 1e-5));
  }
  EXPECT_LT(alpha, 0.3);
}

TEST(ProgressTest, CountsStepsAndEvaluations) {
  for (int steps : {5, 8}) {
    for (const Walk& walk : Walks(steps)) {
      SCOPED_TRACE(walk.name);
      const auto run = walk.create();
      WalkProgress last = run->progress();
      EXPECT_EQ(last.evaluations_done, 0);
      EXPECT_EQ(last.steps, steps);
      EXPECT_FALSE(run->denoised().defined());
      while (run->Next().has_value()) {
        EXPECT_LT(run->progress().steps_done, steps);
        WalkUntil(*run, last.evaluations_done + 1);
        const WalkProgress now = run->progress();
        EXPECT_EQ(now.evaluations_done, last.evaluations_done + 1);
        EXPECT_GE(now.steps_done, last.steps_done);
        EXPECT_LE(now.steps_done, last.steps_done + 1);
        EXPECT_TRUE(run->denoised().defined());
        last = now;
      }
      EXPECT_EQ(last.steps_done, steps);
      EXPECT_EQ(last.evaluations_done, last.evaluations);
    }
  }
}

TEST(ProgressTest, PlmsLooksTwiceInItsFirstStep) {
  const auto plan = PlanOf(v1::SAMPLER_PNDM, SigmaSchedule::kDefault,
                           StableDiffusion(), {.steps = 3}, 0);
  EXPECT_THAT(plan->timesteps, testing::ElementsAre(667, 334, 334, 1));
  EXPECT_THAT(plan->steps_done, testing::ElementsAre(0, 0, 1, 2, 3));
}

TEST(ProgressTest, RungeKuttaLooksFourTimesInEachOfThreeSteps) {
  json scheduler = StableDiffusion();
  scheduler["skip_prk_steps"] = false;
  const auto plan = PlanOf(v1::SAMPLER_PNDM, SigmaSchedule::kDefault, scheduler,
                           {.steps = 5}, 0);
  EXPECT_THAT(plan->steps_done, testing::ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 2,
                                                     2, 2, 2, 3, 4, 5));
}

TEST(StartTest, StrengthLeavesStepsOutAsInTheReference) {
  EXPECT_EQ(FirstStepOf(1, 10), 0);
  EXPECT_EQ(FirstStepOf(0.6, 10), 4);
  EXPECT_EQ(FirstStepOf(0.29, 100), 72) << "0.29 of 100 is 28.999...";
  EXPECT_EQ(FirstStepOf(0.05, 10), 10) << "no step is left";
  EXPECT_EQ(FirstStepOf(0, 10), 10);
}

TEST(StartTest, NamesWhatIsMissing) {
  const auto status = [](const SamplerStart& start) {
    return CreateSampler(v1::SAMPLER_DDIM, SigmaSchedule::kDefault,
                         StableDiffusion(), {.steps = 10}, start)
        .status();
  };
  EXPECT_THAT(status({}), StatusIs(kInvalid, "needs noise"));
  SamplerStart start = FromNoise(1);
  start.first_step = 4;
  EXPECT_THAT(status(start), StatusIs(kInvalid, "sample to start at step 4"));
  start.sample = at::zeros({1, 4, 8, 9});
  EXPECT_THAT(status(start), StatusIs(kInvalid, "different shapes"));
  start.sample = at::zeros({1, 4, 8, 8});
  EXPECT_THAT(status(start), IsOk());
  for (int first_step : {-1, 10}) {
    start.first_step = first_step;
    EXPECT_THAT(status(start), StatusIs(kInvalid, "not between 0 and 9"));
  }
  EXPECT_THAT(
      CreateSamplerOfClass("DDIMInverseScheduler", SigmaSchedule::kDefault,
                           StableDiffusion(), {.steps = 10}, FromNoise(1))
          .status(),
      StatusIs(kInvalid, "ddim_inverse needs a sample"));
}

// Of the whole way up, steps are left out at its end: there DDIM, without as
// many at its beginning, comes back from.
TEST(WalkTest, AnInversionWithoutItsLastStepsEndsWhereDdimBegins) {
  SamplerStart start;
  start.sample = FromNoise(1).noise;
  start.first_step = 3;
  const auto up =
      *CreateSamplerOfClass("DDIMInverseScheduler", SigmaSchedule::kDefault,
                            StableDiffusion(), {.steps = 10}, start);
  EXPECT_EQ(up->progress().steps, 7);
  EXPECT_EQ(up->progress().steps_done, 0);
  WalkUntil(*up, 7);
  EXPECT_FALSE(up->Next().has_value());
  start.noise = start.sample;
  const auto down = *CreateSampler(v1::SAMPLER_DDIM, SigmaSchedule::kDefault,
                                   StableDiffusion(), {.steps = 10}, start);
  EXPECT_EQ(down->progress().steps_done, 3);
  EXPECT_EQ(up->level().alpha, down->level().alpha);
  EXPECT_EQ(up->level().sigma, down->level().sigma);
}

// Repeats a recorded image-to-image call from its encoded picture and noise.
void ExpectRecording(const std::string& name) {
  const Recording recording(name);
  json scheduler = recording.manifest["scheduler"]["config"];
  const json& call = recording.manifest["call"];
  const int steps = call["num_inference_steps"];
  const at::Tensor moments = recording.Get("vae_encode.0.moments");
  const at::Tensor deviation =
      at::exp(0.5 * at::clamp(moments.narrow(1, 4, 4), -30, 20));
  SamplerStart start;
  start.noise = recording.Get("noise.001");
  start.sample = 0.18215 * (moments.narrow(1, 0, 4) +
                            deviation * recording.Get("noise.000"));
  start.first_step = FirstStepOf(call["strength"], steps);
  const auto run = *CreateSamplerOfClass(
      recording.manifest["scheduler"]["class"], SigmaSchedule::kDefault,
      scheduler, {.steps = steps}, start);
  EXPECT_THAT(run->latent(),
              TensorNear(recording.Get("initial_latents"), 1e-4));
  const at::Tensor outputs = recording.Get("step_model_output");
  ASSERT_EQ(run->progress().evaluations, outputs.size(0));
  EXPECT_EQ(run->progress().steps_done, 4);
  const at::Tensor timesteps = recording.Get("timesteps");
  const int64_t left_out = timesteps.size(0) - outputs.size(0);
  for (int64_t i = 0; i < outputs.size(0); ++i) {
    EXPECT_EQ(run->Next()->timestep, timesteps[left_out + i].item<double>());
    run->Take(outputs[i]);
    ASSERT_THAT(run->latent(), TensorNear(recording.Get("step_out")[i], 1e-4))
        << i;
  }
  EXPECT_EQ(run->progress().steps_done, 10);
}

TEST(StartTest, PndmRepeatsTheReferencesImageToImage) {
  ExpectRecording("sd1-img2img");
}

TEST(StartTest, DdimRepeatsTheReferencesImageToImage) {
  ExpectRecording("sd1-img2img-ddim");
}

TEST(StartTest, InversionRepeatsTheReferences) {
  const Recording recording("sd1-ddim-inversion");
  SamplerStart start;
  start.sample = recording.Get("initial_latents");
  const auto run = *CreateSamplerOfClass(
      "DDIMInverseScheduler", SigmaSchedule::kDefault,
      recording.manifest["scheduler"]["config"], {.steps = 6}, start);
  for (int i = 0; i < 6; ++i) {
    run->Take(recording.Get("step_model_output")[i]);
    ASSERT_THAT(run->latent(), TensorNear(recording.Get("step_out")[i], 1e-4));
  }
  EXPECT_FALSE(run->Next().has_value());
}

TEST(StartTest, EverySamplerStartsAtTheReferencesNoisedSample) {
  for (const char* klass :
       {"DDIMScheduler", "EulerDiscreteScheduler",
        "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler"}) {
    const Recording recording(std::string("schedulers/") + klass);
    const auto get = [&](const char* part) {
      return recording.Get(std::string("default/add_noise.") + part);
    };
    // The recorded timesteps are those of the second and the fourth of 7.
    for (int i = 0; i < 2; ++i) {
      SamplerStart start = FromNoise(1);
      start.sample = get("original").narrow(0, i, 1);
      start.noise = get("noise").narrow(0, i, 1);
      start.first_step = 1 + 2 * i;
      const auto run = *CreateSamplerOfClass(
          klass, SigmaSchedule::kDefault,
          recording.manifest["cases"]["default"]["config"], {.steps = 7},
          start);
      EXPECT_EQ(run->Next()->timestep, get("timesteps")[i].item<double>());
      EXPECT_THAT(run->latent(), TensorNear(get("out").narrow(0, i, 1), 1e-5))
          << klass;
    }
  }
}

TEST(ReplaceTest, TheWalkGoesOnFromWhatWasPutIn) {
  const at::Tensor other = FromNoise(9).noise;
  for (const Walk& walk : Walks(7)) {
    SCOPED_TRACE(walk.name);
    const auto run = walk.create();
    WalkUntil(*run, 3);
    const at::Tensor before = run->Next()->sample;
    run->Replace(run->latent());
    EXPECT_THAT(run->Next()->sample, TensorEquals(before));
    run->Replace(other);
    EXPECT_THAT(run->latent(), TensorEquals(other));
    EXPECT_THAT(run->Next()->sample, testing::Not(TensorEquals(before)));
    EXPECT_EQ(run->progress().evaluations_done, 3);
    EXPECT_THROW(run->Replace(at::zeros({1, 4, 8, 9})), c10::Error);
    EXPECT_THROW(run->Replace(other.to(at::kDouble)), c10::Error);
  }
}

}  // namespace
}  // namespace genzo
