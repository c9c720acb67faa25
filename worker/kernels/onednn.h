#ifndef GENZO_WORKER_KERNELS_ONEDNN_H_
#define GENZO_WORKER_KERNELS_ONEDNN_H_

#include <cstdint>
#include <string>

#include "ATen/core/Tensor.h"

// LibTorch's oneDNN layers, called through its dispatcher, with weights that
// were laid out once, at load, and with the next pointwise operation fused in.
// Weights given to the Packed functions come from the Pack functions and serve
// nothing else. A row of x has the same bits in any company (row_bits.h). Where
// the address space is limited, the Packed functions throw
// c10::OutOfMemoryError when it comes to its end: oneDNN itself would crash.

namespace genzo {

// Whether oneDNN has fast layers for weights of this type here: float32, or
// bfloat16 with AVX-512, on the CPU.
bool CanPack(const at::Tensor& weight);

// How a convolution walks over its input.
struct ConvGeometry {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
};

// weight [out, in] and [out, in, kernel, kernel].
at::Tensor PackLinear(const at::Tensor& weight);
at::Tensor PackConv2d(const at::Tensor& weight, const ConvGeometry& geometry);

// x W^T + b, then `activation`: "none" or "gelu" (with erf).
at::Tensor PackedLinear(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const std::string& activation);
// x W^T + b, then combined with `other` of the result's shape: "add" or "mul".
at::Tensor PackedLinearBinary(const at::Tensor& x, const at::Tensor& weight,
                              const at::Tensor& bias, const at::Tensor& other,
                              const std::string& operation);

// x [B, in, H, W], best channels last; the result is channels last. Then
// `activation`: "none" or "relu".
at::Tensor PackedConv2d(const at::Tensor& x, const at::Tensor& weight,
                        const at::Tensor& bias, const ConvGeometry& geometry,
                        const std::string& activation);
// The same plus `other` of the result's shape.
at::Tensor PackedConv2dAdd(const at::Tensor& x, const at::Tensor& weight,
                           const at::Tensor& bias, const at::Tensor& other,
                           const ConvGeometry& geometry);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_ONEDNN_H_
