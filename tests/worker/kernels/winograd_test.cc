// Winograd's convolutions against LibTorch's in double, and their promise that
// a row has the same bits in any company and with any number of threads.

#include "worker/kernels/winograd.h"

#include "ATen/Parallel.h"
#include "ATen/TensorOperators.h"
#include "ATen/ops/conv2d.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/relu.h"
#include "ATen/ops/zeros.h"
#include "c10/core/InferenceMode.h"
#include "tests/testing/tensor_matchers.h"
#include "worker/kernels/lanes.h"

namespace genzo {
namespace {

struct Layer {
  int64_t in, out, height, width;
};

class WinogradTest : public ::testing::TestWithParam<Layer> {
 protected:
  WinogradTest()
      : weight_(at::randn({GetParam().out, GetParam().in, 3, 3})),
        bias_(at::randn({GetParam().out})),
        x_(at::randn({3, GetParam().in, GetParam().height, GetParam().width})
               .contiguous(at::MemoryFormat::ChannelsLast)) {}

  void SetUp() override {
    if (!CanWinograd(weight_, {})) GTEST_SKIP() << "not on this processor";
    packed_ = PackWinograd(weight_);
  }

  at::Tensor Exact(const at::Tensor& bias) const {
    return at::conv2d(x_.to(at::kDouble), weight_.to(at::kDouble),
                      bias.defined() ? bias.to(at::kDouble) : bias,
                      /*stride=*/1, /*padding=*/1);
  }

  c10::InferenceMode inference_;
  at::Tensor weight_, bias_, x_, packed_;
};

TEST_P(WinogradTest, IsTheConvolution) {
  const at::Tensor y =
      WinogradConv2d(x_, packed_, bias_, /*other=*/{}, /*relu=*/false);
  EXPECT_THAT(y.to(at::kDouble), TensorNear(Exact(bias_), 5e-6));
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_THAT(WinogradConv2d(x_, packed_, {}, {}, false).to(at::kDouble),
              TensorNear(Exact({}), 5e-6))
      << "without bias";
  EXPECT_THAT(WinogradConv2d(x_.contiguous(), packed_, bias_, {}, false),
              TensorEquals(y))
      << "channels first";
}

TEST_P(WinogradTest, AddsAnotherMapAndRectifies) {
  const at::Tensor other = at::randn(Exact({}).sizes());
  const at::Tensor sum = Exact(bias_) + other;
  EXPECT_THAT(WinogradConv2d(x_, packed_, bias_, other, false).to(at::kDouble),
              TensorNear(sum, 5e-6));
  EXPECT_THAT(WinogradConv2d(x_, packed_, bias_, other, true).to(at::kDouble),
              TensorNear(at::relu(sum), 5e-6));
  EXPECT_THAT(WinogradConv2d(x_, packed_, bias_, {}, true).to(at::kDouble),
              TensorNear(at::relu(Exact(bias_)), 5e-6));
}

TEST_P(WinogradTest, ARowHasItsBitsInAnyCompanyAndWithAnyThreads) {
  const int threads = at::get_num_threads();
  const at::Tensor y = WinogradConv2d(x_, packed_, bias_, {}, false);
  for (const int some : {1, 2, 3}) {
    at::set_num_threads(some);
    for (int64_t row = 0; row < 3; ++row) {
      EXPECT_THAT(
          WinogradConv2d(x_.narrow(0, row, 1), packed_, bias_, {}, false),
          TensorEquals(y.narrow(0, row, 1)))
          << some << " threads";
    }
  }
  at::set_num_threads(threads);
}

INSTANTIATE_TEST_SUITE_P(
    Layers, WinogradTest,
    ::testing::Values(Layer{16, 16, 1, 1}, Layer{16, 48, 2, 5},
                      Layer{40, 144, 7, 3}, Layer{64, 64, 16, 16},
                      Layer{320, 64, 4, 4}, Layer{20, 16, 33, 31}));

TEST(CanWinogradTest, OnlyWhereItGains) {
  const auto can = [](at::IntArrayRef sizes, const ConvGeometry& geometry) {
    return CanWinograd(at::zeros({1}).expand(sizes), geometry);
  };
  if (!can({64, 64, 3, 3}, {})) GTEST_SKIP() << "not on this processor";
  EXPECT_TRUE(can({640, 640, 3, 3}, {}));
  EXPECT_FALSE(can({1280, 640, 3, 3}, {})) << "its weights are too many";
  EXPECT_FALSE(can({64, 4, 3, 3}, {})) << "too few channels";
  EXPECT_FALSE(can({4, 64, 3, 3}, {}));
  EXPECT_FALSE(can({64, 64, 3, 3}, {.kernel = 3, .stride = 2, .padding = 1}));
  EXPECT_FALSE(can({64, 64, 3, 3}, {.kernel = 3, .stride = 1, .padding = 0}));
  EXPECT_FALSE(can({64, 64, 1, 1}, {.kernel = 1, .stride = 1, .padding = 0}));
  EXPECT_FALSE(CanWinograd(at::zeros({64, 64, 3, 3}, at::kBFloat16), {}));
}

// Those for older processors; sums of rounded numbers, in the same order.
TEST(WinogradLanesTest, EveryTableSeesAndFinishesAlike) {
  constexpr int64_t kChannels = 21;
  const at::Tensor x = at::randn({16, kChannels});
  const at::Tensor bias = at::randn({kChannels});
  const float* places[16];
  for (int i = 0; i < 16; ++i) {
    places[i] = x.const_data_ptr<float>() + i * kChannels;
  }
  const auto through = [&](const Lanes& lanes) {
    const at::Tensor seen = at::zeros({16, kChannels});
    const at::Tensor y = at::zeros({4, kChannels});
    float* const to = y.mutable_data_ptr<float>();
    lanes.winograd_see(places, kChannels, kChannels,
                       seen.mutable_data_ptr<float>());
    WinogradTile tile = {.bias = bias.const_data_ptr<float>(),
                         .channels = kChannels,
                         .relu = true};
    for (int i = 0; i < 4; ++i) tile.places[i] = to + i * kChannels;
    lanes.winograd_finish(seen.const_data_ptr<float>(), kChannels, tile);
    return y;
  };
  EXPECT_THAT(through(BestLanes()), TensorEquals(through(kLanesGeneric)));
}

}  // namespace
}  // namespace genzo
