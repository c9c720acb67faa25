#include "worker/denoiser/joint_transformer.h"

#include "ATen/ops/arange.h"
#include "ATen/ops/tensor.h"
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

}  // namespace
}  // namespace genzo
