#include "server/request_resolver.h"

#include <cmath>
#include <limits>

#include "base/errors.h"
#include "tests/testing/matchers.h"

namespace genzo {
namespace {

using v1::GenerateRequest;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

v1::Model TestModel() {
  v1::Model model;
  model.set_id("tiny");
  model.set_state(v1::Model::STATE_RESIDENT);
  model.set_default_width(128);
  model.set_default_height(64);
  auto& limits = *model.mutable_limits();
  limits.set_size_multiple(8);
  limits.set_min_side(64);
  limits.set_max_side(512);
  limits.set_max_steps(100);
  limits.set_max_image_count(4);
  limits.set_max_clip_skip(2);
  model.add_samplers(GenerateRequest::SAMPLER_PNDM);
  model.add_samplers(GenerateRequest::SAMPLER_DDIM);
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
  EXPECT_EQ(resolved->sampler(), GenerateRequest::SAMPLER_PNDM);
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
         "eta 0.5 needs sampler SAMPLER_DDIM, not SAMPLER_PNDM");
  expect([](auto& r) { r.set_sampler(GenerateRequest::SAMPLER_EULER); },
         "sampler SAMPLER_EULER is not one of the model's: SAMPLER_PNDM, "
         "SAMPLER_DDIM");
  expect(
      [](auto& r) { r.set_sampler(static_cast<GenerateRequest::Sampler>(77)); },
      "sampler 77");
  expect([](auto& r) { r.set_request_id("a b"); }, "request_id");
  expect([](auto& r) { r.set_request_id(std::string(129, 'x')); },
         "request_id has 129 bytes");
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
      "preview.format 9 is not a format");
  expect(
      [](auto& r) {
        r.mutable_output()->set_format(static_cast<v1::ImageFormat>(9));
      },
      "output.format 9 is not a format");
  expect([](auto& r) { r.mutable_preview()->set_quality(0); },
         "preview.quality 0 is not between 1 and 100");
  expect([](auto& r) { r.mutable_preview()->set_quality(101); },
         "preview.quality 101");
  expect([](auto& r) { r.mutable_output()->set_quality(0); },
         "output.quality 0 is not between 1 and 100");
  expect([](auto& r) { r.mutable_output()->set_quality(101); },
         "output.quality 101");
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
  model.set_error("unet is torn");
  EXPECT_THAT(CheckModelState(model),
              StatusIs(absl::StatusCode::kFailedPrecondition, "unet is torn"));
}

}  // namespace
}  // namespace genzo
