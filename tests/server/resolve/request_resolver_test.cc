#include "server/resolve/request_resolver.h"

#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/errors.h"
#include "tests/server/resolve/resolver_model.h"
#include "tests/testing/matchers.h"
#include "tests/testing/test_folder.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

v1::Model TestModel() {
  v1::Model model = ResolverModel();
  model.mutable_limits()->set_max_clip_skip(2);
  model.set_default_sampler(v1::SAMPLER_PNDM);
  auto* pndm = model.add_samplers();
  pndm->set_sampler(v1::SAMPLER_PNDM);
  pndm->set_takes_sigmas(true);
  pndm->set_takes_timesteps(true);
  auto* dpmpp = model.add_samplers();
  dpmpp->set_sampler(v1::SAMPLER_DPMPP_2M);
  dpmpp->add_schedules(v1::NOISE_SCHEDULE_KARRAS);
  dpmpp->set_takes_timesteps(true);
  dpmpp->set_min_steps(2);
  return model;
}

absl::StatusOr<GenerateRequest> Resolve(const GenerateRequest& request) {
  RequestLimits limits;
  limits.max_prompt_bytes = 100;
  return ResolveRequest(request, TestModel(), limits, /*drawn_seed=*/99);
}

// A request that is sound but for what `change` does to it.
template <typename Change>
absl::Status ResolveWith(Change change) {
  GenerateRequest request;
  request.set_prompt("a fox");
  change(request);
  return Resolve(request).status();
}

TEST(RequestResolverTest, APromptIsEnough) {
  GenerateRequest request;
  request.set_prompt("a fox");
  const auto resolved = Resolve(request);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->model(), "tiny");
  EXPECT_EQ(resolved->seed(), 99u);
  EXPECT_EQ(resolved->image_count(), 1u);
  EXPECT_EQ(resolved->width(), 128u);
  EXPECT_EQ(resolved->height(), 64u);
  EXPECT_EQ(resolved->steps(), 25u);
  EXPECT_EQ(resolved->guidance_scale(), 7.5);
  EXPECT_EQ(resolved->sampler(), v1::SAMPLER_PNDM);
  EXPECT_TRUE(resolved->output().embed_parameters());
  EXPECT_EQ(resolved->output().quality(), 90u);
  EXPECT_EQ(resolved->preview().quality(), 80u);
}

TEST(RequestResolverTest, ZeroIsASeedAndAScale) {
  GenerateRequest request;
  request.set_seed(0);
  request.set_guidance_scale(0);
  const auto resolved = Resolve(request);
  EXPECT_EQ(resolved->seed(), 0u);
  EXPECT_EQ(resolved->guidance_scale(), 0);
}

TEST(RequestResolverTest, NamesFieldValueAndLimit) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith(change), StatusIs(kInvalid, text));
  };
  expect([](auto& r) { r.set_width(100); }, "width 100 is not a multiple of 8");
  expect([](auto& r) { r.set_height(520); },
         "height 520 is not between 64 and 512");
  expect([](auto& r) { r.set_width(0); }, "width 0 is not between 64");
  expect([](auto& r) { r.set_steps(0); }, "steps 0 is not between 1 and 100");
  expect([](auto& r) { r.set_steps(101); }, "steps 101");
  expect([](auto& r) { r.set_image_count(0); },
         "image_count 0 is not between 1 and 4");
  expect([](auto& r) { r.set_guidance_scale(std::nan("")); },
         "guidance_scale nan is not between 0 and 100");
  expect(
      [](auto& r) {
        r.set_guidance_scale(std::numeric_limits<double>::infinity());
      },
      "guidance_scale inf");
  expect([](auto& r) { r.set_guidance_rescale(2); }, "guidance_rescale 2");
  expect([](auto& r) { r.set_prompt(std::string(1 << 20, 'x')); },
         "prompt has 1048576 bytes, the limit is 100");
  expect([](auto& r) { r.set_negative_prompt(std::string(101, 'x')); },
         "negative_prompt has 101 bytes");
  expect([](auto& r) { r.set_clip_skip(3); },
         "clip_skip 3 is not between 0 and 2");
  expect([](auto& r) { r.set_eta(1.5); }, "eta 1.5");
  expect([](auto& r) { r.set_eta(0.5); },
         "eta 0.5 needs sampler SAMPLER_DDIM or SAMPLER_TCD, not SAMPLER_PNDM");
  expect([](auto& r) { r.set_sampler(v1::SAMPLER_EULER); },
         "sampler SAMPLER_EULER is not one of the model's: SAMPLER_DDIM, "
         "SAMPLER_PNDM, SAMPLER_DPMPP_2M");
  expect([](auto& r) { r.set_schedule(v1::NOISE_SCHEDULE_KARRAS); },
         "schedule NOISE_SCHEDULE_KARRAS does not go with sampler "
         "SAMPLER_PNDM; besides the model's own it takes: none");
  expect([](auto& r) { r.set_sampler(static_cast<v1::Sampler>(77)); },
         "sampler 77");
  expect([](auto& r) { r.set_guidance_scale(100.0000001); },
         "guidance_scale 100.0000001 is not between 0 and 100");
  expect([](auto& r) { r.set_request_id("a b"); }, "request_id is not a UUID");
  expect([](auto& r) { r.set_priority(static_cast<v1::Priority>(9)); },
         "priority 9 is not one of its values");
}

TEST(RequestResolverTest, ChecksLevelsOfOnesOwn) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith(change), StatusIs(kInvalid, text));
  };
  const auto with_sigmas = [](const std::vector<double>& sigmas) {
    return [=](auto& r) {
      r.mutable_sigmas()->Assign(sigmas.begin(), sigmas.end());
    };
  };
  GenerateRequest request;
  with_sigmas({9, 3, 1})(request);
  const auto resolved = Resolve(request);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->steps(), 3u) << "one step each";
  expect(
      [&](auto& r) {
        with_sigmas({9, 3, 1})(r);
        r.set_steps(4);
      },
      "sigmas has 3 entries, not one for each of 4 steps");
  expect(with_sigmas({9, 9, 1}), "sigmas[1] 9 is not below the one before it");
  expect(with_sigmas({-1}), "sigmas[0] -1");
  expect(with_sigmas({1, 0}), "sigmas[1] 0 is not over 0 and at most 32768");
  expect(with_sigmas({32769}), "sigmas[0] 32769 is not over 0");
  expect(with_sigmas({std::nan("")}), "sigmas[0] nan");
  expect(
      [&](auto& r) {
        with_sigmas({9})(r);
        r.add_timesteps(900);
        r.set_steps(1);
      },
      "timesteps does not go with sigmas");
  expect(
      [](auto& r) {
        r.set_sampler(v1::SAMPLER_DPMPP_2M);
        r.set_schedule(v1::NOISE_SCHEDULE_KARRAS);
        r.add_timesteps(900);
      },
      "timesteps does not go with schedule");
  expect(
      [&](auto& r) {
        r.set_sampler(v1::SAMPLER_DPMPP_2M);
        with_sigmas({9, 3})(r);
      },
      "sigmas does not go with sampler SAMPLER_DPMPP_2M");
}

TEST(RequestResolverTest, ChecksTheFewestStepsOfASampler) {
  EXPECT_THAT(ResolveWith([](auto& r) {
                r.set_sampler(v1::SAMPLER_DPMPP_2M);
                r.set_steps(1);
              }),
              StatusIs(kInvalid,
                       "steps 1 is below 2, the fewest of sampler "
                       "SAMPLER_DPMPP_2M"));
}

TEST(RequestResolverTest, ChecksChurnAndNoise) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith(change), StatusIs(kInvalid, text));
  };
  expect([](auto& r) { r.mutable_churn()->set_amount(1); },
         "churn needs sampler SAMPLER_EULER or SAMPLER_EDM_HEUN, not "
         "SAMPLER_PNDM");
  expect([](auto& r) { r.mutable_churn()->set_amount(-1); }, "churn.amount -1");
  expect([](auto& r) { r.mutable_churn()->set_noise(3); },
         "churn.noise 3 is not between 0 and 2");
  expect(
      [](auto& r) {
        r.mutable_churn()->set_min_sigma(2);
        r.mutable_churn()->set_max_sigma(1);
      },
      "churn.max_sigma 1 is not between 2");
  expect(
      [](auto& r) {
        r.set_noise_generator(static_cast<v1::NoiseGenerator>(9));
      },
      "noise_generator 9 is not one of its values");
}

TEST(RequestResolverTest, ChecksPreviewsAndOutput) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith(change), StatusIs(kInvalid, text));
  };
  expect(
      [](auto& r) {
        r.mutable_preview()->add_steps(1);
        r.mutable_preview()->add_steps(26);
      },
      "preview.steps[1] 26 is not between 1 and 25");
  // Those of a second pass are counted on: 25, and 7 of its 10.
  expect(
      [](auto& r) {
        r.mutable_hires()->set_steps(10);
        r.mutable_preview()->add_steps(32);
        r.mutable_preview()->add_steps(33);
      },
      "preview.steps[1] 33 is not between 1 and 32");
  expect(
      [](auto& r) {
        r.mutable_hires()->set_strength(0.4);
        r.mutable_preview()->add_steps(36);
      },
      "preview.steps[0] 36 is not between 1 and 35");
  expect([](auto& r) { r.mutable_preview()->add_steps(0); },
         "preview.steps[0] 0");
  expect(
      [](auto& r) {
        for (int i = 0; i < 1001; ++i) r.mutable_preview()->add_steps(1);
      },
      "preview.steps has 1001 entries, the limit is 1000");
  expect([](auto& r) { r.mutable_preview()->set_longest_side(8); },
         "preview.longest_side 8");
  expect(
      [](auto& r) {
        r.mutable_preview()->set_format(static_cast<v1::ImageFormat>(9));
      },
      "preview.format 9 is not one of its values");
  expect(
      [](auto& r) {
        r.mutable_output()->set_format(static_cast<v1::ImageFormat>(9));
      },
      "output.format 9 is not one of its values");
  expect([](auto& r) { r.mutable_preview()->set_quality(0); },
         "preview.quality 0 is not between 1 and 100");
  expect([](auto& r) { r.mutable_preview()->set_quality(101); },
         "preview.quality 101");
  expect([](auto& r) { r.mutable_output()->set_quality(0); },
         "output.quality 0 is not between 1 and 100");
  expect([](auto& r) { r.mutable_output()->set_quality(101); },
         "output.quality 101");
}

TEST(RequestResolverTest, TakesTheModelsDefaults) {
  v1::Model model = TestModel();
  model.set_default_steps(30);
  model.set_default_guidance_scale(0);
  model.set_default_sampler(v1::SAMPLER_DPMPP_2M);
  model.set_default_schedule(v1::NOISE_SCHEDULE_KARRAS);
  GenerateRequest request;
  auto resolved = ResolveRequest(request, model, {}, /*drawn_seed=*/1);
  ASSERT_THAT(resolved, IsOk());
  EXPECT_EQ(resolved->steps(), 30u);
  EXPECT_EQ(resolved->guidance_scale(), 0) << "zero is a value";
  EXPECT_EQ(resolved->schedule(), v1::NOISE_SCHEDULE_KARRAS);
  request.set_sampler(v1::SAMPLER_DPMPP_2M);
  resolved = ResolveRequest(request, model, {}, /*drawn_seed=*/1);
  EXPECT_EQ(resolved->schedule(), v1::NOISE_SCHEDULE_UNSPECIFIED)
      << "who chooses the sampler chooses the schedule too";
  request.set_schedule(v1::NOISE_SCHEDULE_KARRAS);
  EXPECT_THAT(ResolveRequest(request, model, {}, /*drawn_seed=*/1), IsOk());
}

TEST(RequestResolverTest, LimitsTheArea) {
  v1::Model model = TestModel();
  model.mutable_limits()->set_max_pixels(256 * 256);
  GenerateRequest request;
  request.set_width(512);
  request.set_height(136);
  EXPECT_THAT(ResolveRequest(request, model, {}, /*drawn_seed=*/1),
              StatusIs(kInvalid,
                       "the picture has 69632 pixels, the limit is "
                       "65536"));
  request.set_height(128);
  EXPECT_THAT(ResolveRequest(request, model, {}, /*drawn_seed=*/1), IsOk());
}

TEST(RequestResolverTest, ChecksThePictureToStartFrom) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith([&](auto& r) {
                  r.mutable_image_to_image()->set_image("png");
                  change(*r.mutable_image_to_image());
                }),
                StatusIs(kInvalid, text));
  };
  expect([](auto& start) { start.clear_image(); },
         "image_to_image.image is empty");
  expect([](auto& start) { start.set_image(std::string((20 << 20) + 1, 'x')); },
         "image_to_image.image has 20971521 bytes, the limit is 20971520");
  expect([](auto& start) { start.set_strength(1.1); },
         "image_to_image.strength 1.1 is not between 0 and 1");
  expect([](auto& start) { start.set_strength(std::nan("")); },
         "image_to_image.strength nan");
  expect([](auto& start) { start.set_strength(0.039); },
         "image_to_image.strength 0.039 leaves none of 25 steps");
  expect([](auto& start) { start.set_image_sha256("no"); },
         "image_to_image.image_sha256 is not that of");
  expect([](auto& start) { start.set_image_bytes(4); },
         "image_to_image.image_bytes 4 is not the size of "
         "image_to_image.image, 3");
}

TEST(RequestResolverTest, APictureIsPaintedInItsOwnProportions) {
  v1::Model model = ResolverModel();
  model.set_default_width(256);
  model.set_default_height(256);
  model.mutable_limits()->set_max_side(512);
  model.mutable_limits()->set_max_pixels(0);
  const auto size = [&](const std::string& file,
                        const std::function<void(GenerateRequest&)>& change) {
    GenerateRequest request;
    request.set_prompt("x");
    request.mutable_image_to_image()->set_image(
        ReadFile(SourcePath("tests/data/pictures/" + file)));
    change(request);
    const auto resolved = ResolveRequest(request, model, {}, 1);
    EXPECT_THAT(resolved, IsOk());
    return std::pair(resolved->width(), resolved->height());
  };
  const auto alone = [](GenerateRequest&) {};
  const auto [width, height] = size("rgb_png.png", alone);  // 21 x 13
  EXPECT_EQ(width, 320u) << "no more pixels than the model's own size";
  EXPECT_EQ(height, 200u);
  EXPECT_EQ(size("exif6.jpg", alone), std::pair(height, width)) << "turned";
  EXPECT_EQ(size("rgb_png.png", [](auto& r) { r.set_width(64); }),
            std::pair(64u, 256u))
      << "one that is given leaves the other to the model";
}

TEST(RequestResolverTest, EulersMethodIsAFlowsTooWhereThereIsNoOther) {
  v1::Model model = ResolverModel();
  model.clear_samplers();
  for (const v1::Sampler sampler :
       {v1::SAMPLER_FLOW_EULER, v1::SAMPLER_FLOW_HEUN}) {
    model.add_samplers()->set_sampler(sampler);
  }
  GenerateRequest request;
  const auto resolved = [&](v1::Sampler sampler) {
    request.set_sampler(sampler);
    const auto made = ResolveRequest(request, model, {}, /*drawn_seed=*/99);
    return made.ok() ? made->sampler() : v1::SAMPLER_UNSPECIFIED;
  };
  EXPECT_EQ(resolved(v1::SAMPLER_EULER), v1::SAMPLER_FLOW_EULER);
  EXPECT_EQ(resolved(v1::SAMPLER_HEUN), v1::SAMPLER_FLOW_HEUN);
  EXPECT_EQ(resolved(v1::SAMPLER_DDIM), v1::SAMPLER_UNSPECIFIED);
}

TEST(RequestResolverTest, NotesWhichPictureItWas) {
  GenerateRequest request;
  request.mutable_image_to_image()->set_image(
      ReadFile(SourcePath("tests/data/pictures/rgb_png.png")));
  const auto resolved = Resolve(request);
  ASSERT_THAT(resolved, IsOk());
  const v1::ImageToImage& start = resolved->image_to_image();
  EXPECT_EQ(start.strength(), 0.8);
  EXPECT_EQ(start.image_bytes(), 348u);
  EXPECT_EQ(absl::BytesToHexString(start.image_sha256()),
            "a44133a2dc3ce48b5d4a28ed7d2175b2dcedeeee4753021bc9143f66de28620b")
      << "as sha256sum says";
  EXPECT_THAT(Resolve(*resolved), IsOk()) << "what is told may be sent again";
}

TEST(RequestResolverTest, AModelPaintsOnlyWhatItOffers) {
  v1::Model model = TestModel();
  model.clear_tasks();
  model.add_tasks(v1::TASK_TEXT_TO_IMAGE);
  GenerateRequest request;
  request.mutable_image_to_image()->set_image("png");
  EXPECT_THAT(ResolveRequest(request, model, {}, /*drawn_seed=*/1),
              StatusIs(kInvalid,
                       "image_to_image: model \"tiny\" does not offer "
                       "TASK_IMAGE_TO_IMAGE"));
}

TEST(RequestResolverTest, ChecksHowLongAJobLives) {
  const auto expect = [](auto change, const std::string& text) {
    EXPECT_THAT(ResolveWith(change), StatusIs(kInvalid, text));
  };
  expect([](auto& r) { r.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE); },
         "on_disconnect ON_DISCONNECT_CONTINUE needs a request_id");
  expect([](auto& r) { r.mutable_time_limit(); },
         "time_limit 0 s 0 ns is not over 0");
  expect(
      [](auto& r) {
        r.mutable_time_limit()->set_seconds(1);
        r.mutable_time_limit()->set_nanos(-5);
      },
      "time_limit 1 s -5 ns is not over 0");
  expect([](auto& r) { r.mutable_time_limit()->set_seconds(86401); },
         "time_limit 86401 s 0 ns is not over 0 and up to 86400 s");
  expect([](auto& r) { r.mutable_time_limit()->set_nanos(-1); },
         "time_limit 0 s -1 ns");
  expect(
      [](auto& r) {
        r.mutable_time_limit()->set_seconds(
            std::numeric_limits<int64_t>::max());
      },
      "time_limit 9223372036854775807 s");
  EXPECT_THAT(ResolveWith([](auto& r) {
                r.set_on_disconnect(v1::ON_DISCONNECT_CONTINUE);
                r.set_request_id("123E4567-e89b-42d3-a456-426614174000");
                r.mutable_time_limit()->set_seconds(86400);
              }),
              IsOk());
}

TEST(RequestResolverTest, TakesEveryFormat) {
  for (const auto format :
       {v1::IMAGE_FORMAT_PNG, v1::IMAGE_FORMAT_JPEG, v1::IMAGE_FORMAT_WEBP}) {
    EXPECT_THAT(ResolveWith([&](auto& r) {
                  r.mutable_preview()->set_format(format);
                  r.mutable_preview()->set_quality(1);
                  r.mutable_output()->set_format(format);
                  r.mutable_output()->set_quality(100);
                }),
                IsOk());
  }
}

TEST(RequestResolverTest, NamesAllFaultsAtOnce) {
  const absl::Status status = ResolveWith([](auto& r) {
    r.set_width(7);
    r.set_steps(0);
    r.set_image_count(99);
  });
  for (const char* field : {"width", "steps", "image_count"}) {
    EXPECT_THAT(status, StatusIs(kInvalid, field));
  }
  EXPECT_EQ(ErrorReason(status), "INVALID_FIELD");
}

TEST(RequestResolverTest, TellsLoadingFromFailed) {
  v1::Model model = TestModel();
  EXPECT_THAT(CheckModelState(model), IsOk());
  model.set_state(v1::Model::STATE_LOADING);
  EXPECT_EQ(ErrorReason(CheckModelState(model)), "MODEL_LOADING");
  EXPECT_GT(RetryAfter(CheckModelState(model)), absl::ZeroDuration());
  model.set_state(v1::Model::STATE_FAILED);
  model.mutable_error()->set_message("unet is torn");
  EXPECT_THAT(CheckModelState(model),
              StatusIs(absl::StatusCode::kFailedPrecondition, "unet is torn"));
}

}  // namespace
}  // namespace genzo
