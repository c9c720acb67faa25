#ifndef GENZO_WORKER_KERNELS_FLASH_ATTENTION_H_
#define GENZO_WORKER_KERNELS_FLASH_ATTENTION_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace genzo {

// Whether FlashAttention() takes tensors of this type and device: on the CPU
// float32, and bfloat16 in heads of an even size where the processor multiplies
// it in hardware.
bool CanFlashAttend(const at::Tensor& q, int64_t head_size);

// softmax(q k^T / sqrt(D / heads)) v for each head, in blocks that stay in the
// cache (arXiv:2205.14135). q [B, L, D], k and v [B, M, D] of one type, with
// contiguous last dimension and `heads` dividing D; returns [B, L, D]. Products
// accumulate in float32. A row has the same bits whatever the other rows and
// the threads; LibTorch's kernel promises that of neither type, and reaches
// 0.12 TFLOP/s in bfloat16 where the processor's matrix products reach 0.45.
at::Tensor FlashAttention(const at::Tensor& q, const at::Tensor& k,
                          const at::Tensor& v, int64_t heads);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_FLASH_ATTENTION_H_
