#include "worker/denoiser/joint_transformer.h"

#include <limits>

#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/matmul.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/softmax.h"
#include "ATen/ops/tensor.h"
#include "ATen/ops/zeros.h"
#include "tests/testing/tensor_matchers.h"

namespace genzo {
namespace {

TEST(PatchifyTest, APatchHasItsChannelsOneAfterTheOther) {
  const at::Tensor x = at::arange(2 * 4 * 6).view({1, 2, 4, 6});
  const at::Tensor patches = Patchify(x, 2);
  ASSERT_EQ(patches.sizes(), at::IntArrayRef({1, 6, 8}));
  // The second patch of the first row.
  EXPECT_THAT(patches[0][1], TensorEquals(at::tensor(
                                 {2, 3, 8, 9, 26, 27, 32, 33}, at::kLong)));
  EXPECT_THAT(Unpatchify(patches, {2, 3}, 2, /*channels_last=*/false),
              TensorEquals(x));
}

TEST(UnpatchifyTest, ReadsChannelsLast) {
  const at::Tensor patches = at::arange(6 * 8).view({1, 6, 2, 2, 2});
  const at::Tensor x =
      Unpatchify(patches.flatten(2), {2, 3}, 2, /*channels_last=*/true);
  ASSERT_EQ(x.sizes(), at::IntArrayRef({1, 2, 4, 6}));
  for (int64_t channel = 0; channel < 2; ++channel) {
    EXPECT_THAT(x[0][channel].slice(0, 0, 2).slice(1, 2, 4),
                TensorEquals(patches[0][1].select(2, channel)));
  }
}

// By the mask that the reference adds to the scores.
TEST(AttendAloneTest, PlacesSeeThemselvesAndTheText) {
  constexpr int64_t kPlaces = 5, kTexts = 3, kHeads = 2, kHeadDim = 4;
  const auto random = [] {
    return at::randn({2, kPlaces + kTexts, kHeads * kHeadDim});
  };
  const QueryKeyValue all = {.q = random(), .k = random(), .v = random()};
  at::Tensor mask = at::zeros({kPlaces + kTexts, kPlaces + kTexts});
  const at::Tensor places = mask.narrow(0, 0, kPlaces).narrow(1, 0, kPlaces);
  places.fill_(-std::numeric_limits<float>::infinity());
  places.fill_diagonal_(0);
  std::vector<at::Tensor> heads;
  for (int64_t head = 0; head < kHeads; ++head) {
    const auto of = [&](const at::Tensor& tokens) {
      return tokens.narrow(2, head * kHeadDim, kHeadDim);
    };
    const at::Tensor scores =
        at::matmul(of(all.q), of(all.k).transpose(1, 2)) / 2 + mask;
    heads.push_back(at::matmul(at::softmax(scores, -1), of(all.v)));
  }
  EXPECT_THAT(AttendAlone(all, kHeads, kPlaces),
              TensorNear(at::cat(heads, 2).narrow(1, 0, kPlaces), 1e-5));
}

}  // namespace
}  // namespace genzo
