#ifndef GENZO_WORKER_KERNELS_GROUP_NORM_H_
#define GENZO_WORKER_KERNELS_GROUP_NORM_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "c10/util/Exception.h"

namespace genzo {

// What is done before and after the normalisation, in the same pass.
struct GroupNormOptions {
  int64_t groups;  // divides C
  double eps;
  bool silu = false;  // x * sigmoid(x) at the end
};

// Refuses what does not fit, with c10::Error as LibTorch's own operators do.
inline void CheckGroupNorm(const at::Tensor& x, const at::Tensor& shift,
                           const at::Tensor& weight, const at::Tensor& bias,
                           const GroupNormOptions& options) {
  TORCH_CHECK(x.dim() == 4 && weight.numel() == x.size(1) &&
                  bias.numel() == x.size(1) &&
                  x.size(1) % options.groups == 0 &&
                  (!shift.defined() || shift.numel() == x.size(0) * x.size(1)),
              "group norm: x ", x.sizes(), " does not fit ", weight.numel(),
              " channels in ", options.groups, " groups");
}

// Group normalisation (arXiv:1803.08494) of x [B, C, H, W], channels last, on
// the CPU, float32 or bfloat16, with weight and bias [C] float32. `shift`
// [B, C] float32 is added to x first unless undefined. Returns x's shape, type
// and layout. Unlike LibTorch's, a row has the same bits whatever the other
// rows, their number and the threads: the work is cut by pixels, never by
// threads.
at::Tensor ChannelsLastGroupNorm(const at::Tensor& x, const at::Tensor& shift,
                                 const at::Tensor& weight,
                                 const at::Tensor& bias,
                                 const GroupNormOptions& options);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_GROUP_NORM_H_
