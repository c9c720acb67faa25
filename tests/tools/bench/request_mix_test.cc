#include "tools/bench/request_mix.h"

#include <set>

#include "tests/testing/matchers.h"

namespace genzo {
namespace {

v1::Model TestModel() {
  v1::Model model;
  model.set_id("tiny");
  model.set_default_width(128);
  model.set_default_height(64);
  model.mutable_limits()->set_size_multiple(8);
  model.mutable_limits()->set_min_side(64);
  model.mutable_limits()->set_max_side(256);
  model.mutable_limits()->set_max_steps(150);
  model.set_default_sampler(v1::SAMPLER_DDIM);
  model.add_samplers()->set_sampler(v1::SAMPLER_DDIM);
  auto* euler = model.add_samplers();
  euler->set_sampler(v1::SAMPLER_EULER);
  euler->add_schedules(v1::NOISE_SCHEDULE_KARRAS);
  return model;
}

RequestMix Mix(const MixOptions& options) {
  return *RequestMix::Create(options, TestModel());
}

TEST(RequestMixTest, UniformIsOneKindWithTheModelsDefaults) {
  const RequestMix mix = Mix({});
  ASSERT_EQ(mix.kinds().size(), 1u);
  EXPECT_EQ(mix.kinds()[0].name, "128x64, 25 steps, guidance 7.5");
  const v1::GenerateRequest request = mix.Draw(0).request;
  EXPECT_EQ(request.model(), "tiny");
  EXPECT_EQ(request.steps(), 25u);
  EXPECT_FALSE(request.output().embed_parameters());
  EXPECT_EQ(request.preview().every(), 0u);
}

TEST(RequestMixTest, TakesSizeStepsAndPreviews) {
  const auto request =
      Mix({.steps = 9, .width = 64, .height = 72, .preview_every = 3})
          .Draw(0)
          .request;
  EXPECT_EQ(request.width(), 64u);
  EXPECT_EQ(request.height(), 72u);
  EXPECT_EQ(request.steps(), 9u);
  EXPECT_EQ(request.preview().every(), 3u);
}

TEST(RequestMixTest, MixedCoversEveryValueOfEveryAxis) {
  std::set<uint32_t> widths, heights, steps;
  std::set<double> guidance;
  std::set<std::pair<int, int>> samplers;
  const RequestMix mix = Mix({.profile = MixProfile::kMixed});
  for (const RequestKind& kind : mix.kinds()) {
    widths.insert(kind.request.width());
    heights.insert(kind.request.height());
    steps.insert(kind.request.steps());
    guidance.insert(kind.request.guidance_scale());
    samplers.insert({kind.request.sampler(), kind.request.schedule()});
  }
  EXPECT_THAT(widths, ::testing::ElementsAre(64, 128));
  EXPECT_THAT(heights, ::testing::ElementsAre(64)) << "not under min_side";
  EXPECT_THAT(steps, ::testing::ElementsAre(4, 9, 14, 19, 24, 30));
  EXPECT_THAT(guidance, ::testing::ElementsAre(1, 3, 7.5));
  EXPECT_EQ(samplers.size(), 3u) << "with its schedule";
}

TEST(RequestMixTest, ScalesStepsToTheMostAskedFor) {
  const RequestMix mix = Mix({.profile = MixProfile::kMixed, .steps = 3});
  for (const RequestKind& kind : mix.kinds()) {
    EXPECT_EQ(kind.request.steps(), 3u);
  }
}

TEST(RequestMixTest, EveryRunOfKindsHoldsEachOnce) {
  const RequestMix mix = Mix({.profile = MixProfile::kMixed});
  const int count = static_cast<int>(mix.kinds().size());
  for (int run = 0; run < 3; ++run) {
    std::set<int> kinds;
    for (int i = 0; i < count; ++i) {
      kinds.insert(mix.Draw(run * count + i).kind);
    }
    EXPECT_EQ(kinds.size(), mix.kinds().size());
  }
}

TEST(RequestMixTest, FollowsTheSeed) {
  const auto draw = [](uint64_t seed, int index) {
    return Mix({.profile = MixProfile::kMixed, .seed = seed})
        .Draw(index)
        .request.SerializeAsString();
  };
  EXPECT_EQ(draw(1, 5), draw(1, 5));
  EXPECT_NE(draw(1, 5), draw(2, 5));
  EXPECT_NE(draw(1, 5), draw(1, 6));
}

TEST(RequestMixTest, NamesWhatTheModelCannotHave) {
  const auto create = [](const MixOptions& options) {
    return RequestMix::Create(options, TestModel());
  };
  EXPECT_THAT(create({.width = 100}),
              StatusIs(kInvalid, "width 100 is not a multiple of 8"));
  EXPECT_THAT(create({.height = 512}), StatusIs(kInvalid, "height 512"));
  EXPECT_THAT(create({.steps = 151}),
              StatusIs(kInvalid, "steps 151 is not from 1 to 150"));
}

}  // namespace
}  // namespace genzo
