#include "worker/sampler/cuda_noise.h"

#include <cmath>

#include "ATen/ops/mean.h"
#include "ATen/ops/std.h"
#include "tests/testing/matchers.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

TEST(PhiloxTest, HasTheKnownAnswers) {
  // Random123's kat_vectors.
  EXPECT_THAT(
      Philox({0, 0, 0, 0}, 0),
      testing::ElementsAre(0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8));
  EXPECT_THAT(
      Philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
             0x299f31d0a4093822),
      testing::ElementsAre(0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1));
}

TEST(CudaNoiseTest, SeedsGiveWhatPyTorchDrawsOnAGpu) {
  // torch.randn(12, device="cuda") after torch.manual_seed(0).
  constexpr double kExpected[] = {-0.92466259, -0.42534415, -2.6438457,
                                  0.14518388,  -0.12086647, -0.57972564,
                                  -0.62285122, -0.32838709, -1.07454231,
                                  -0.36314407, -1.67105067, 2.26550497};
  const at::Tensor noise = CudaNoise(/*seed=*/0).Draw({12});
  for (int i = 0; i < 12; ++i) {
    EXPECT_NEAR(noise[i].item<double>(), kExpected[i], 1e-6) << i;
  }
}

TEST(CudaNoiseTest, SmallTensorsAreTheBeginningOfLargerOnes) {
  const at::Tensor small = CudaNoise(7).Draw({1, 4, 8, 8});
  const at::Tensor large = CudaNoise(7).Draw({1, 4, 64, 64});
  EXPECT_THAT(small.flatten(), TensorEquals(large.flatten().narrow(0, 0, 256)));
}

TEST(CudaNoiseTest, TensorsLargerThanTheGpuTakeMoreOfEachThread) {
  // 768 blocks of 256 threads; the second number of a thread's first call comes
  // a grid later, and the fifth is of its second call.
  constexpr int64_t kGrid = int64_t{768} * 256;
  CudaNoise source(3);
  const at::Tensor noise = source.Draw({5 * kGrid});
  const auto normal = [](uint32_t call, uint32_t thread, int number) {
    const auto words = Philox({call, 0, thread, 0}, 3);
    const int pair = number / 2;
    const double u = (words[2 * pair] + 0.5) / 4294967296.0;
    const double turn = (words[2 * pair + 1] + 0.5) / 4294967296.0 * 2 * M_PI;
    return std::sqrt(-2 * std::log(u)) *
           (number % 2 == 0 ? std::sin(turn) : std::cos(turn));
  };
  for (const uint32_t thread : {0U, 1U, 12345U}) {
    for (int number = 0; number < 4; ++number) {
      EXPECT_NEAR(noise[thread + kGrid * number].item<double>(),
                  normal(0, thread, number), 1e-5);
    }
    EXPECT_NEAR(noise[thread + kGrid * 4].item<double>(), normal(1, thread, 0),
                1e-5);
  }
  // That were two calls of each thread; the next tensor has the third.
  EXPECT_NEAR(source.Draw({1})[0].item<double>(), normal(2, 0, 0), 1e-5);
}

TEST(CudaNoiseTest, IsUnitNormal) {
  const at::Tensor noise = CudaNoise(11).Draw({1, 4, 128, 128});
  EXPECT_NEAR(at::mean(noise).item<double>(), 0, 0.02);
  EXPECT_NEAR(at::std(noise).item<double>(), 1, 0.02);
}

TEST(CudaNoiseTest, GoesOnWhereItWasSaved) {
  CudaNoise first(uint64_t{5} << 32 | 9);
  first.Draw({1, 4, 8, 8});
  CudaNoise second(uint64_t{5} << 32 | 9);
  ASSERT_THAT(second.Restore(first.Save()), IsOk());
  const at::Tensor next = first.Draw({1, 4, 8, 8});
  EXPECT_THAT(second.Draw({1, 4, 8, 8}), TensorEquals(next));
  EXPECT_THAT(CudaNoise(9).Draw({1, 4, 8, 8}),
              testing::Not(TensorNear(next, 0.1)))
      << "the seed's upper half matters";
  EXPECT_THAT(CudaNoise(4).Restore(first.Save()), StatusIs(kInvalid, "seed"));
  EXPECT_THAT(second.Restore("?"), StatusIs(kInvalid, "noise state"));
  EXPECT_THAT(CudaNoise(9).Restore(SeededNoise(9).Save()),
              StatusIs(kInvalid, "not a position of Philox"));
  EXPECT_THAT(SeededNoise(9).Restore(CudaNoise(9).Save()),
              StatusIs(kInvalid, "not one's state"));
}

TEST(CudaNoiseTest, RequestsChooseTheGenerator) {
  const std::vector<int64_t> shape = {1, 4, 8, 8};
  EXPECT_THAT(MakeNoise(v1::NOISE_GENERATOR_CUDA, 3)->Draw(shape),
              TensorEquals(CudaNoise(3).Draw(shape)));
  for (const auto cpu :
       {v1::NOISE_GENERATOR_UNSPECIFIED, v1::NOISE_GENERATOR_CPU}) {
    EXPECT_THAT(MakeNoise(cpu, 3)->Draw(shape),
                TensorEquals(SeededNoise(3).Draw(shape)));
  }
}

}  // namespace
}  // namespace genzo
