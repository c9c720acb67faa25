// The arithmetic of worker/cuda/group_norm.cu, without a GPU.

#include <array>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/full.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/silu.h"
#include "tests/testing/tensor_matchers.h"
#include "tests/worker/cuda/emulated_cuda.h"
#include "worker/cuda/group_norm_launch.h"

// `extern __shared__ float shared[]` in a kernel is this array of its
// namespace.
#define GENZO_VECTOR 8
#define GENZO_ELEMENT Bfloat16
namespace genzo::emulated_cuda::bfloat16_by_8 {
float shared[12 << 10];
#include "worker/cuda/group_norm.cu"
}  // namespace genzo::emulated_cuda::bfloat16_by_8
#undef GENZO_ELEMENT
#define GENZO_ELEMENT Half
namespace genzo::emulated_cuda::half_by_8 {
float shared[12 << 10];
#include "worker/cuda/group_norm.cu"
}  // namespace genzo::emulated_cuda::half_by_8
#undef GENZO_ELEMENT
#undef GENZO_VECTOR
#define GENZO_VECTOR 4
#define GENZO_ELEMENT float
namespace genzo::emulated_cuda::float_by_4 {
float shared[12 << 10];
#include "worker/cuda/group_norm.cu"
}  // namespace genzo::emulated_cuda::float_by_4
#undef GENZO_VECTOR
#define GENZO_VECTOR 1
namespace genzo::emulated_cuda::float_by_1 {
float shared[12 << 10];
#include "worker/cuda/group_norm.cu"
}  // namespace genzo::emulated_cuda::float_by_1

namespace genzo {
namespace {

using emulated_cuda::Index;
using emulated_cuda::Launch;

constexpr float kEps = 1e-5;

struct Call {
  at::Tensor x;        // [B, C, H, W], channels last
  at::Tensor shift{};  // [B, C] or undefined
  at::Tensor weight;
  at::Tensor bias;
  int groups;
  bool silu;
};

// One of the kernels' namespaces, as the host code of worker/cuda/group_norm.cc
// calls it.
#define GENZO_RUN(name, kernels)                                               \
  at::Tensor name(const Call& call) {                                          \
    using kernels::Element;                                                    \
    const GroupNormLaunch launch(call.x.size(1),                               \
                                 call.x.size(2) * call.x.size(3), call.groups, \
                                 call.x.element_size());                       \
    const auto extent = std::bit_cast<kernels::Extent>(launch.extent);         \
    const int rows = static_cast<int>(call.x.size(0));                         \
    const Index grid = {extent.chunks, rows};                                  \
    const Index block = {static_cast<int>(launch.lanes),                       \
                         static_cast<int>(launch.depth)};                      \
    EXPECT_LE(launch.shared_bytes, sizeof(kernels::shared));                   \
    const at::Tensor moments =                                                 \
        Unwritten({rows, extent.chunks, 2, call.groups});                      \
    const at::Tensor affine = Unwritten({rows, 2, extent.channels});           \
    const at::Tensor y = at::empty_like(call.x);                               \
    const auto* const x =                                                      \
        static_cast<const Element*>(call.x.const_data_ptr());                  \
    const float* const shift =                                                 \
        call.shift.defined() ? call.shift.const_data_ptr<float>() : nullptr;   \
    Launch(grid, block, [&] {                                                  \
      kernels::ChunkMoments(x, shift, moments.data_ptr<float>(), extent);      \
    });                                                                        \
    Launch({rows, 1}, {kJoinLanes, kJoinGroups}, [&] {                         \
      kernels::JoinMoments(moments.data_ptr<float>(), shift,                   \
                           call.weight.data_ptr<float>(),                      \
                           call.bias.data_ptr<float>(), kEps,                  \
                           affine.data_ptr<float>(), extent);                  \
    });                                                                        \
    Launch(grid, block, [&] {                                                  \
      kernels::ApplyAffine(x, affine.data_ptr<float>(), call.silu,             \
                           static_cast<Element*>(y.data_ptr()), extent);       \
    });                                                                        \
    return y;                                                                  \
  }

// What nobody writes shows.
at::Tensor Unwritten(at::IntArrayRef sizes) {
  return at::full(sizes, std::nan(""), at::kFloat);
}

GENZO_RUN(RunBfloat16, emulated_cuda::bfloat16_by_8)
GENZO_RUN(RunHalf, emulated_cuda::half_by_8)
GENZO_RUN(RunFloat, emulated_cuda::float_by_4)
GENZO_RUN(RunNarrow, emulated_cuda::float_by_1)
#undef GENZO_RUN

struct Case {
  at::Tensor (*run)(const Call&);
  at::ScalarType dtype;
  int64_t channels;
  int groups;
  int64_t height, width;
};

class GroupNormKernelTest : public ::testing::TestWithParam<Case> {};

TEST_P(GroupNormKernelTest, EqualsItsDefinitionRowByRow) {
  const Case& size = GetParam();
  for (const bool full : {true, false}) {
    Call call = {
        // A mean far from zero is where careless sums lose digits.
        .x = (at::randn({2, size.channels, size.height, size.width}) + 20)
                 .to(size.dtype)
                 .contiguous(at::MemoryFormat::ChannelsLast),
        .weight = at::randn({size.channels}),
        .bias = at::randn({size.channels}),
        .groups = size.groups,
        .silu = full};
    at::Tensor expected = call.x.to(at::kDouble);
    if (full) {
      call.shift = at::randn({2, size.channels});
      expected =
          expected + call.shift.to(at::kDouble).unsqueeze(-1).unsqueeze(-1);
    }
    expected =
        at::group_norm(expected, size.groups, call.weight.to(at::kDouble),
                       call.bias.to(at::kDouble), kEps);
    if (full) expected = at::silu(expected);
    const at::Tensor actual = size.run(call);
    EXPECT_THAT(actual.to(at::kDouble),
                TensorNear(expected, size.dtype == at::kFloat  ? 2e-5
                                     : size.dtype == at::kHalf ? 1e-3
                                                               : 1e-2));
    Call second = call;
    second.x = call.x.narrow(0, 1, 1);
    if (full) second.shift = call.shift.narrow(0, 1, 1);
    EXPECT_THAT(size.run(second), TensorEquals(actual.narrow(0, 1, 1)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, GroupNormKernelTest,
    ::testing::Values(Case{RunBfloat16, at::kBFloat16, 320, 32, 7, 9},
                      // More groups' lanes than groups, one pixel.
                      Case{RunBfloat16, at::kBFloat16, 24, 3, 1, 1},
                      // More channels than a block has threads.
                      Case{RunBfloat16, at::kBFloat16, 2560, 32, 4, 4},
                      Case{RunHalf, at::kHalf, 64, 32, 8, 8},
                      Case{RunFloat, at::kFloat, 320, 32, 5, 5},
                      // The most chunks of a row, of unequal size.
                      Case{RunFloat, at::kFloat, 4, 2, 131, 127},
                      Case{RunNarrow, at::kFloat, 35, 5, 6, 11}));

TEST(GroupNormLaunchTest, CoversEveryPixelAndChannel) {
  for (const int64_t channels : {1, 4, 35, 320, 640, 1280, 2560}) {
    for (const int64_t pixels : {1, 64, 100, 4096, 262144, 1048577}) {
      for (const int64_t element_bytes : {2, 4}) {
        const GroupNormLaunch launch(channels, pixels, /*groups=*/1,
                                     element_bytes);
        EXPECT_EQ(channels % launch.vector, 0);
        EXPECT_LE(launch.lanes * launch.depth, GroupNormLaunch::kThreads);
        EXPECT_LE(launch.chunks, GroupNormLaunch::kMostChunks);
        EXPECT_GE(launch.chunks * launch.extent.chunk_pixels, pixels);
        EXPECT_LT((launch.chunks - 1) * launch.extent.chunk_pixels, pixels);
        EXPECT_LE(launch.shared_bytes, 48 << 10);
      }
    }
  }
}

}  // namespace
}  // namespace genzo
