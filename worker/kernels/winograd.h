#ifndef GENZO_WORKER_KERNELS_WINOGRAD_H_
#define GENZO_WORKER_KERNELS_WINOGRAD_H_

#include "ATen/core/Tensor.h"
#include "worker/kernels/onednn.h"

namespace genzo {

// 3x3 convolutions in float32 on the CPU by Winograd's F(2x2, 3x3)
// (arXiv:1509.09308): 16 multiplications for 4 places of the result instead of
// 36. Errors are no larger than those of oneDNN's, as sums are shorter. A row
// of x has the same bits in any company and with any number of threads.

// Whether layers with this weight [out, in, kernel, kernel] are made so. Not
// the largest: they are the few that most of a model's memory is, and weights
// become 16 numbers instead of 9.
bool CanWinograd(const at::Tensor& weight, const ConvGeometry& geometry);

// weight [out, in, 3, 3] -> [16, in, out], laid out for WinogradConv2d alone.
at::Tensor PackWinograd(const at::Tensor& weight);

// x [B, in, H, W], best channels last -> [B, out, H, W], channels last. `bias`
// [out] or undefined. `other` of the result's shape is added unless undefined;
// then negative numbers become 0 if `relu`.
at::Tensor WinogradConv2d(const at::Tensor& x, const at::Tensor& weight,
                          const at::Tensor& bias, const at::Tensor& other,
                          bool relu);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_WINOGRAD_H_
