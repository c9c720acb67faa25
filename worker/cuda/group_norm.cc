#include "worker/cuda/group_norm.h"

#include <array>
#include <exception>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/allclose.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/group_norm.h"
#include "ATen/ops/randn.h"
#include "ATen/ops/silu.h"
#include "c10/core/DeviceGuard.h"
#include "worker/cuda/group_norm_launch.h"
#include "worker/cuda/group_norm_source.h"

namespace genzo {
namespace {

constexpr double kTrialEps = 1e-5;
constexpr char kGivenUp[] =
    "LibTorch's group norm is used instead of Genzo's on CUDA: ";

// What a block may have on every device without asking.
constexpr int64_t kMostSharedBytes = 48 << 10;
constexpr int64_t kMostRows = 65535;  // of a grid

std::string ElementName(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float";
    case at::kBFloat16:
      return "Bfloat16";
    case at::kHalf:
      return "Half";
    default:
      TORCH_CHECK(false, "group norm: type ", dtype, " is not supported");
  }
}

const float* DataOrNull(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}

// For loads of 16 bytes; a view may begin anywhere.
at::Tensor Aligned(const at::Tensor& x) {
  const auto address = reinterpret_cast<uintptr_t>(x.const_data_ptr());
  return address % 16 == 0 ? x : x.clone(at::MemoryFormat::ChannelsLast);
}

dim3 Blocks(int64_t x, int64_t y) {
  return {static_cast<unsigned>(x), static_cast<unsigned>(y)};
}

}  // namespace

const CompiledKernels& CudaGroupNorm::KernelsFor(at::ScalarType dtype,
                                                 int64_t vector) {
  const std::string architecture = CurrentArchitecture();
  const std::lock_guard<std::mutex> lock(mutex_);
  auto& kernels = kernels_[{dtype, vector, architecture}];
  if (kernels == nullptr) {
    kernels = std::make_unique<CompiledKernels>(
        kGroupNormSource,
        std::vector<std::string>{"GENZO_ELEMENT=" + ElementName(dtype),
                                 "GENZO_VECTOR=" + std::to_string(vector)},
        std::vector<std::string>{"ChunkMoments", "JoinMoments", "ApplyAffine"});
  }
  return *kernels;
}

bool CudaGroupNorm::AgreesWithLibTorch(const at::TensorOptions& options) {
  // Chunks of two sizes, and in the second case one channel a thread.
  for (const auto& [channels, groups, side] :
       std::vector<std::array<int64_t, 3>>{{320, 32, 17}, {35, 5, 5}}) {
    // Drawn on the CPU: the device's generator may be another thread's.
    const auto draw = [&](at::IntArrayRef sizes) {
      return at::randn(sizes).to(options.device());
    };
    const at::Tensor x = (draw({2, channels, side, side}) + 3)
                             .to(options.dtype())
                             .contiguous(at::MemoryFormat::ChannelsLast);
    const at::Tensor shift = draw({2, channels});
    const at::Tensor weight = draw({channels});
    const at::Tensor bias = draw({channels});
    const at::Tensor expected = at::silu(
        at::group_norm(x.to(at::kFloat) + shift.unsqueeze(-1).unsqueeze(-1),
                       groups, weight, bias, kTrialEps));
    const at::Tensor actual =
        Run(x, shift, weight, bias,
            {.groups = groups, .eps = kTrialEps, .silu = true});
    const double bound = x.scalar_type() == at::kFloat ? 1e-4 : 2e-2;
    if (!at::allclose(actual.to(at::kFloat), expected, bound, bound)) {
      return false;
    }
  }
  return true;
}

bool CudaGroupNorm::Works(const at::Tensor& x) {
  const std::lock_guard<std::mutex> lock(tried_mutex_);
  const auto [found, is_new] =
      works_.try_emplace({x.scalar_type(), x.device().index()}, false);
  if (!is_new) return found->second;
  try {
    const c10::DeviceGuard on_device(x.device());
    found->second = AgreesWithLibTorch(x.options());
    if (!found->second) {
      TORCH_WARN(kGivenUp, "its results are wrong here");
    }
  } catch (const c10::OutOfMemoryError&) {
    works_.erase(found);  // that says nothing about the kernel
    throw;
  } catch (const std::exception& e) {
    TORCH_WARN(kGivenUp, e.what());
  }
  return found->second;
}

at::Tensor CudaGroupNorm::Run(const at::Tensor& x, const at::Tensor& shift,
                              const at::Tensor& weight, const at::Tensor& bias,
                              const GroupNormOptions& options) {
  CheckGroupNorm(x, shift, weight, bias, options);
  const c10::DeviceGuard on_device(x.device());
  const at::Tensor in = Aligned(x.contiguous(at::MemoryFormat::ChannelsLast));
  const at::Tensor row_shift = shift.defined() ? shift.contiguous() : shift;
  const int64_t rows = in.size(0);
  const int64_t channels = in.size(1);
  const int64_t pixels = in.size(2) * in.size(3);
  const at::Tensor out = at::empty_like(in);
  if (out.numel() == 0) return out;
  const GroupNormLaunch launch(channels, pixels, options.groups,
                               in.element_size());
  TORCH_CHECK(launch.shared_bytes <= kMostSharedBytes && rows <= kMostRows,
              "group norm: ", rows, " rows of ", channels,
              " channels are too many");
  const GroupNormExtent& extent = launch.extent;
  const auto floats = in.options().dtype(at::kFloat);
  const at::Tensor moments =
      at::empty({rows, launch.chunks, 2, options.groups}, floats);
  const at::Tensor affine = at::empty({rows, 2, channels}, floats);
  const CompiledKernels& kernels = KernelsFor(in.scalar_type(), launch.vector);
  const CompiledKernels::Shape chunked = {
      .grid = Blocks(launch.chunks, rows),
      .block = Blocks(launch.lanes, launch.depth)};
  CompiledKernels::Shape summing = chunked;
  summing.shared_bytes = launch.shared_bytes;
  kernels.Launch("ChunkMoments", summing, in.const_data_ptr(),
                 DataOrNull(row_shift), moments.data_ptr<float>(), extent);
  kernels.Launch("JoinMoments",
                 {.grid = Blocks(rows, 1),
                  .block = Blocks(kJoinLanes, kJoinGroups),
                  .shared_bytes = kJoinLanes * kJoinGroups * 3 * sizeof(float)},
                 moments.const_data_ptr<float>(), DataOrNull(row_shift),
                 weight.const_data_ptr<float>(), bias.const_data_ptr<float>(),
                 static_cast<float>(options.eps), affine.data_ptr<float>(),
                 extent);
  kernels.Launch("ApplyAffine", chunked, in.const_data_ptr(),
                 affine.const_data_ptr<float>(), static_cast<int>(options.silu),
                 out.data_ptr(), extent);
  return out;
}

}  // namespace genzo
