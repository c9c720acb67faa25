#include "worker/engine/inversion.h"

#include "ATen/ops/rand.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

constexpr int64_t kSide = 64;

v1::GenerateRequest Request() {
  v1::GenerateRequest request;
  request.set_prompt("a fox");
  request.set_negative_prompt("fog");
  request.set_guidance_scale(1);
  request.set_sampler(v1::SAMPLER_DDIM);
  request.set_steps(12);
  request.set_seed(7);
  request.set_width(kSide);
  request.set_height(kSide);
  v1::ImageToImage& start = *request.mutable_image_to_image();
  start.set_strength(1);
  start.mutable_inversion()->set_prompt("a fox");
  start.mutable_inversion()->set_guidance_scale(1);
  start.mutable_inversion()->set_steps(12);
  return request;
}

// As the engine makes it. `latent` stands in for the picture, unless undefined.
genzo::Run MakeInverting(const Pipeline& model,
                         const v1::GenerateRequest& request,
                         const at::Tensor& picture,
                         const at::Tensor& latent = {}) {
  TextCache texts(1 << 20);
  const std::vector<EncodeTask> tasks = {
      {.request = request, .picture = picture}};
  auto encoded = model.Encode(tasks, /*together=*/true, texts);
  EncodeInversions(model, tasks, /*together=*/true, texts, encoded);
  EXPECT_THAT(encoded[0], IsOk());
  if (latent.defined()) {
    encoded[0]->latent = latent;
    encoded[0]->picture = {};
  }
  const ImageRequest image = {
      .request = request,
      .noise = std::make_shared<SeededNoise>(request.seed())};
  auto stages = *model.Plan(image, *encoded[0]);
  const v1::GenerateRequest pass = InversionPass(request);
  EXPECT_THAT(AddInversion(model, {.request = pass, .noise = image.noise},
                           *encoded[0], stages),
              IsOk());
  return genzo::Run(std::move(stages));
}

at::Tensor LatentOf(genzo::Run run) {
  std::vector<genzo::Run> runs;
  runs.push_back(std::move(run));
  FinishRuns(runs);
  return runs[0].latent();
}

class InversionTest : public ::testing::Test {
 protected:
  genzo::Run MakeRun(const v1::GenerateRequest& request) const {
    return MakeInverting(model_, request, picture_);
  }
  at::Tensor Clean() const {
    return model_.codec().Scale(model_.codec().Encode(picture_).mean);
  }

  c10::InferenceMode inference_;
  const Pipeline& model_ = TinyPipeline();
  const at::Tensor picture_ = at::rand({1, 3, kSide, kSide}) * 2 - 1;
};

TEST_F(InversionTest, BitsAreThoseOfTheTwoWalksByHand) {
  const v1::GenerateRequest request = Request();
  genzo::Run run = MakeRun(request);
  PreparedJoiner joiner;
  const PreparedRef text = run.stage().prepared;
  ASSERT_EQ(text->rows, 1);
  const auto walk = [&](SamplerRun& sampler) {
    while (const auto query = sampler.Next()) {
      sampler.Take(Predict(model_.denoiser(), query->sample,
                           {static_cast<float>(query->timestep)}, *text));
    }
    return sampler.latent();
  };
  const nlohmann::json scheduler = nlohmann::json::parse(
      ReadFile(TinyModelFolder() + "/scheduler/scheduler_config.json"));
  const auto up =
      *CreateSamplerOfClass("DDIMInverseScheduler", SigmaSchedule::kDefault,
                            scheduler, {.steps = 12}, {.sample = Clean()});
  const auto down =
      *CreateSampler(v1::SAMPLER_DDIM, SigmaSchedule::kDefault, scheduler,
                     {.steps = 12}, {.noise = walk(*up)});
  EXPECT_THAT(LatentOf(MakeRun(request)), TensorEquals(walk(*down)));
}

// Random weights do not come back to anything: this takes the model in the box,
// and what it painted.
TEST(InversionOfEmakiTest, ComesBackToThePicture) {
  const c10::InferenceMode inference;
  const auto emaki = LoadPipeline(SourcePath("models/emaki"), Placement());
  ASSERT_THAT(emaki, IsOk());
  v1::GenerateRequest request = Request();
  request.set_width(128);
  request.set_height(128);
  request.set_steps(20);
  request.mutable_image_to_image()->mutable_inversion()->set_steps(20);
  v1::GenerateRequest plain = request;
  plain.clear_image_to_image();
  plain.set_guidance_scale(3);
  const at::Tensor painted = LatentOf(MakeRunOf(**emaki, plain));
  const auto distance = [&] {
    const at::Tensor latent =
        LatentOf(MakeInverting(**emaki, request, {}, painted));
    return ((latent - painted).norm() / painted.norm()).item<double>();
  };
  v1::ImageToImage& start = *request.mutable_image_to_image();
  for (const double strength : {1.0, 0.5}) {
    for (const v1::Sampler sampler : {v1::SAMPLER_DDIM, v1::SAMPLER_EULER}) {
      request.set_sampler(sampler);
      start.set_strength(strength);
      EXPECT_LT(distance(), 0.3) << sampler << " " << strength;
    }
  }
  // Other numbers of steps meet at one level.
  start.mutable_inversion()->set_steps(35);
  EXPECT_LT(distance(), 0.3);
  const genzo::Run run = MakeInverting(**emaki, request, {}, painted);
  EXPECT_EQ(run.progress().steps, 17 + 20);
  EXPECT_EQ(run.progress().steps_done, 10);
}

TEST_F(InversionTest, TheWayUpHasItsOwnRowsAndSharesEvaluations) {
  v1::GenerateRequest request = Request();
  request.set_guidance_scale(3);
  std::vector<genzo::Run> runs;
  runs.push_back(MakeRun(request));
  EXPECT_EQ(runs[0].rows(), 1);
  const at::Tensor alone = LatentOf(MakeRun(request));
  request.mutable_image_to_image()->mutable_inversion()->set_guidance_scale(2);
  runs.push_back(MakeRun(request));
  EXPECT_EQ(runs[1].rows(), 2);
  const at::Tensor guided_alone = LatentOf(MakeRun(request));
  v1::GenerateRequest plain = Request();
  plain.clear_image_to_image();
  runs.push_back(MakeRunOf(model_, plain));
  FinishRuns(runs);
  EXPECT_THAT(runs[0].latent(), TensorEquals(alone));
  EXPECT_THAT(runs[1].latent(), TensorEquals(guided_alone));
}

}  // namespace
}  // namespace genzo
