#include "worker/pipeline/masked_picture.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/abs.h"
#include "ATen/ops/rand.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/matchers.h"
#include "tests/testing/runs.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/pipeline/walk_part.h"
#include "worker/sampler/create_sampler.h"
#include "worker/sampler/prediction.h"

namespace genzo {
namespace {

constexpr int64_t kSide = 64;

v1::GenerateRequest Request(v1::Sampler sampler, double strength) {
  v1::GenerateRequest request;
  request.set_prompt("a sunset sea");
  request.set_guidance_scale(3);
  request.set_sampler(sampler);
  request.set_steps(5);
  request.set_seed(7);
  request.set_width(kSide);
  request.set_height(kSide);
  request.mutable_image_to_image()->set_strength(strength);
  request.mutable_inpainting()->set_fill(v1::Inpainting::FILL_ORIGINAL);
  return request;
}

at::Tensor Picture() { return at::rand({1, 3, kSide, kSide}) * 2 - 1; }

// The right half is painted.
at::Tensor HalfMask() {
  at::Tensor mask = at::zeros({1, 1, kSide, kSide});
  mask.narrow(3, kSide / 2, kSide / 2).fill_(1);
  return mask;
}

genzo::Run MakeMasked(const v1::GenerateRequest& request,
                      const at::Tensor& picture, const at::Tensor& mask) {
  TextCache texts(1 << 20);
  const auto encoded = TinyPipeline().Encode(
      {{.request = request, .picture = picture, .mask = mask}},
      /*together=*/true, texts);
  return genzo::Run(*TinyPipeline().Plan(
      {.request = request,
       .noise = std::make_shared<SeededNoise>(request.seed())},
      *encoded[0]));
}

constexpr v1::Sampler kSamplers[] = {
    v1::SAMPLER_DDIM, v1::SAMPLER_EULER,    v1::SAMPLER_EULER_ANCESTRAL,
    v1::SAMPLER_HEUN, v1::SAMPLER_DPMPP_2M, v1::SAMPLER_PNDM};

// Whatever the sampler: the known half of the finished latent is the picture's.
TEST(MaskedPictureTest, TheKnownPartOfTheLatentIsThePictures) {
  const at::Tensor picture = Picture();
  for (const v1::Sampler sampler : kSamplers) {
    for (const double strength : {0.6, 1.0}) {
      const v1::GenerateRequest request = Request(sampler, strength);
      std::vector<genzo::Run> runs;
      runs.push_back(MakeMasked(request, picture, HalfMask()));
      FinishRuns(runs);
      SeededNoise noise(request.seed());
      const LatentCodec& codec = TinyPipeline().codec();
      const at::Tensor clean = codec.Sample(codec.Encode(picture), noise);
      const int64_t half = clean.size(3) / 2;
      EXPECT_THAT(runs[0].latent().narrow(3, 0, half),
                  TensorEquals(clean.narrow(3, 0, half)))
          << v1::Sampler_Name(sampler) << " " << strength;
      EXPECT_GT(at::abs(runs[0].latent() - clean)
                    .narrow(3, half, half)
                    .max()
                    .item<float>(),
                0.01);
      EXPECT_THAT(runs[0].denoised().narrow(3, 0, half),
                  TensorEquals(clean.narrow(3, 0, half)))
          << "previews show the picture";
    }
  }
}

// Masked and unmasked, from pictures and from text, with different samplers:
// one evaluation, and the bits of each alone.
TEST(MaskedPictureTest, SharesEvaluationsWithEveryOtherAndKeepsItsBits) {
  const at::Tensor picture = Picture();
  std::vector<v1::GenerateRequest> requests;
  for (const v1::Sampler sampler : kSamplers) {
    requests.push_back(Request(sampler, 0.8));
  }
  requests[1].mutable_inpainting()->set_fill(v1::Inpainting::FILL_NOISE);
  requests[2].mutable_inpainting()->set_fill(v1::Inpainting::FILL_NOTHING);
  requests[3].clear_inpainting();
  requests[4].clear_inpainting();
  requests[4].clear_image_to_image();
  requests[5].set_guidance_scale(1);
  const auto make = [&](const v1::GenerateRequest& request) {
    return MakeMasked(request,
                      request.has_image_to_image() ? picture : at::Tensor(),
                      request.has_inpainting() ? HalfMask() : at::Tensor());
  };
  std::vector<genzo::Run> together;
  for (const auto& request : requests) together.push_back(make(request));
  for (const genzo::Run& run : together) {
    EXPECT_EQ(run.key(), together[0].key());
  }
  FinishRuns(together);
  for (size_t i = 0; i < requests.size(); ++i) {
    std::vector<genzo::Run> alone;
    alone.push_back(make(requests[i]));
    FinishRuns(alone);
    EXPECT_THAT(together[i].latent(), TensorEquals(alone[0].latent()))
        << "request " << i;
  }
}

// DPM2's latent is in the middle of a step then, the known part at its end.
TEST(MaskedPictureTest, TheKnownPartIsPutBackAtALevelOfItsOwn) {
  const nlohmann::json scheduler = {{"_class_name", "EulerDiscreteScheduler"}};
  const SamplerOptions options = {.steps = 3};
  const KnownPart known = {.mask = at::zeros({1, 1, 8, 8}),
                           .latent = at::randn({1, 4, 8, 8}),
                           .noise = at::randn({1, 4, 8, 8})};
  const auto plan = PlanOf(v1::SAMPLER_DPM2, SigmaSchedule::kDefault, scheduler,
                           options, /*first_step=*/0);
  ASSERT_THAT(plan, IsOk());
  auto walk = CreateSampler(v1::SAMPLER_DPM2, SigmaSchedule::kDefault,
                            scheduler, options, {.noise = known.noise});
  ASSERT_THAT(walk, IsOk());
  WalkPart part(KeepKnown(*std::move(walk), known), StepRange{0, 3},
                plan->evaluations());
  part.Take(at::zeros({1, 4, 8, 8}));
  EXPECT_NE(plan->levels[1].sigma, plan->levels[2].sigma);
  EXPECT_EQ(part.known_level().sigma, plan->levels[2].sigma);
  EXPECT_THAT(part.latent(),
              TensorEquals(Noised(known.latent, known.noise, plan->levels[2])));
}

// A dot that lies between the places that the references look at.
TEST(MaskedPictureTest, ASmallMaskStillPaints) {
  at::Tensor mask = at::zeros({1, 1, kSide, kSide});
  mask[0][0][13][21] = 1;
  const at::Tensor picture = Picture();
  const v1::GenerateRequest request = Request(v1::SAMPLER_DDIM, 1);
  std::vector<genzo::Run> runs;
  runs.push_back(MakeMasked(request, picture, mask));
  FinishRuns(runs);
  SeededNoise noise(request.seed());
  const LatentCodec& codec = TinyPipeline().codec();
  const at::Tensor clean = codec.Sample(codec.Encode(picture), noise);
  const at::Tensor moved = at::abs(runs[0].latent() - clean).amax({0, 1});
  EXPECT_GT(moved[1][2].item<float>(), 0);
  EXPECT_EQ((moved > 0).sum().item<int64_t>(), 1);
}

// What is painted over depends on the fill, at a strength that leaves some.
TEST(MaskedPictureTest, FillsChooseWhatTheMaskedPartBeginsAt) {
  const at::Tensor picture = Picture();
  std::vector<at::Tensor> starts;
  for (const auto fill :
       {v1::Inpainting::FILL_ORIGINAL, v1::Inpainting::FILL_NOISE,
        v1::Inpainting::FILL_NOTHING}) {
    v1::GenerateRequest request = Request(v1::SAMPLER_DDIM, 0.4);
    request.mutable_inpainting()->set_fill(fill);
    const genzo::Run run = MakeMasked(request, picture, HalfMask());
    starts.push_back(run.latent());
  }
  const int64_t half = starts[0].size(3) / 2;
  for (size_t i = 1; i < starts.size(); ++i) {
    EXPECT_THAT(starts[i].narrow(3, 0, half),
                TensorEquals(starts[0].narrow(3, 0, half)));
    EXPECT_GT(at::abs(starts[i] - starts[i - 1]).max().item<float>(), 0.01);
  }
}

TEST(MaskedPictureTest, PlainModelsOfferIt) {
  const auto& tasks = TinyPipeline().traits().tasks;
  EXPECT_EQ(std::count(tasks.begin(), tasks.end(), v1::TASK_INPAINTING), 1);
}

// Also where texts or adapters change later.
TEST(MaskedPictureTest, WhatIsSeenBesideIsSeenAtEveryStep) {
  const auto part = [] {
    return std::make_shared<const Prepared>(
        Prepared{.rows = 2, .tensors = {at::rand({2, 3})}});
  };
  const PreparedRef prepared = InTurn({{0, part()}, {3, part()}});
  const at::Tensor beside = at::rand({1, 5, 8, 8});
  const PreparedRef seeing = SeeBeside(prepared, beside, Placement());
  for (const int step : {0, 3}) {
    const PreparedRef now = PreparedAt(seeing, step);
    ASSERT_EQ(now->tensors.size(), 2u) << step;
    EXPECT_THAT(now->tensors[1].narrow(0, 1, 1), TensorEquals(beside));
  }
}

}  // namespace
}  // namespace genzo
