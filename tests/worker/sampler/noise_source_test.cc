#include "worker/sampler/noise_source.h"

#include <cmath>

#include "ATen/ops/mean.h"
#include "ATen/ops/std.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/safetensors.h"

namespace genzo {
namespace {

const std::vector<int64_t> kShape = {1, 4, 32, 32};

at::Tensor Golden(const std::string& name, const std::string& tensor) {
  const auto file = SafetensorsFile::Open(
      SourcePath("tests/data/reference/goldens/" + name + ".safetensors"));
  return file.ok() ? *(*file)->Read(tensor) : at::Tensor();
}

TEST(NoiseSourceTest, SeedsGiveTheReferencesNoise) {
  EXPECT_THAT(SeededNoise(/*seed=*/1169).Draw({1, 4, 8, 8}),
              TensorEquals(Golden("sd1-txt2img", "noise.000")));
}

TEST(NoiseSourceTest, LaterNoiseContinuesTheStream) {
  SeededNoise noise(/*seed=*/1156);
  EXPECT_THAT(noise.Draw({1, 4, 8, 8}),
              TensorEquals(Golden("scheduler-euler-ancestral", "noise.000")));
  EXPECT_THAT(noise.Draw({1, 4, 8, 8}),
              TensorEquals(Golden("scheduler-euler-ancestral", "noise.001")));
}

TEST(NoiseSourceTest, AnIntervalAlwaysHasTheSameNoise) {
  SeededNoise noise(/*seed=*/1);
  const at::Tensor once = noise.Between(kShape, 14.6, 9.7);
  noise.Between(kShape, 9.7, 3);
  noise.Draw(kShape);
  EXPECT_THAT(noise.Between(kShape, 14.6, 9.7), TensorEquals(once));
  EXPECT_THAT(SeededNoise(1).Between(kShape, 14.6, 9.7), TensorEquals(once));
  EXPECT_THAT(noise.Between(kShape, 9.7, 14.6), TensorEquals(-once));
  EXPECT_THAT(SeededNoise(2).Between(kShape, 14.6, 9.7),
              testing::Not(TensorNear(once, 0.1)));
}

TEST(NoiseSourceTest, IntervalsAddUp) {
  SeededNoise noise(/*seed=*/1);
  const auto motion = [&](double from, double to) {
    return noise.Between(kShape, from, to) * std::sqrt(std::abs(to - from));
  };
  EXPECT_THAT(motion(14.6, 9.7) + motion(9.7, 0.03),
              TensorNear(motion(14.6, 0.03), 1e-5));
  EXPECT_THAT(motion(0, 4096) + motion(4096, 9000.5),
              TensorNear(motion(0, 9000.5), 1e-5));
}

TEST(NoiseSourceTest, IntervalsHaveUnitNormalNoiseOfTheirOwn) {
  SeededNoise noise(/*seed=*/1);
  // One after another, as a walk asks for them: from coarse to fine.
  const std::vector<double> sigmas = {4096, 80, 14.6, 14.5, 3, 0.03, 0.02, 0};
  std::vector<at::Tensor> all;
  for (size_t i = 0; i + 1 < sigmas.size(); ++i) {
    all.push_back(noise.Between(kShape, sigmas[i], sigmas[i + 1]));
    // 4096 elements: the mean's deviation is 1/64, the deviation's 1/90.
    EXPECT_NEAR(at::mean(all.back()).item<double>(), 0, 0.07) << sigmas[i];
    EXPECT_NEAR(at::std(all.back()).item<double>(), 1, 0.05) << sigmas[i];
  }
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_NEAR(at::mean(all[i] * all[j]).item<double>(), 0, 0.07)
          << sigmas[i] << " and " << sigmas[j];
    }
  }
}

TEST(NoiseSourceTest, NoNoiseOutsideTheTree) {
  SeededNoise noise(/*seed=*/1);
  EXPECT_THROW(noise.Between(kShape, 1, 1), c10::Error);
  EXPECT_THROW(noise.Between(kShape, -1, 1), c10::Error);
  EXPECT_THROW(noise.Between(kShape, 1, 40000), c10::Error);
}

TEST(NoiseSourceTest, ASavedStreamGoesOn) {
  SeededNoise first(/*seed=*/uint64_t{1} << 40);
  first.Draw({3});  // an odd number leaves half a pair behind
  const std::string state = first.Save();
  SeededNoise second(/*seed=*/uint64_t{1} << 40);
  ASSERT_THAT(second.Restore(state), IsOk());
  EXPECT_THAT(second.Draw({5}), TensorEquals(first.Draw({5})));
  EXPECT_THAT(second.Draw(kShape), TensorEquals(first.Draw(kShape)));
}

TEST(NoiseSourceTest, RefusesForeignStates) {
  SeededNoise noise(/*seed=*/1);
  EXPECT_THAT(noise.Restore(SeededNoise(2).Save()),
              StatusIs(kInvalid, "seed 2 is not the source's, 1"));
  EXPECT_THAT(noise.Restore("\xff"), StatusIs(kInvalid, "noise state"));
  std::string cut = noise.Save();
  // The generator's last byte: its length no longer holds.
  cut.pop_back();
  EXPECT_THAT(noise.Restore(cut), StatusIs(kInvalid, "noise state"));
  // Seed 1 and no generator.
  EXPECT_THAT(noise.Restore("\x08\x01"), StatusIs(kInvalid, "generator"));
}

}  // namespace
}  // namespace genzo
