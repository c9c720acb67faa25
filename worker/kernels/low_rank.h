#ifndef GENZO_WORKER_KERNELS_LOW_RANK_H_
#define GENZO_WORKER_KERNELS_LOW_RANK_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// What one adapter adds to some rows of a layer's outputs (LoRA,
// arXiv:2106.09685).
struct LowRankProduct {
  at::Tensor down;  // [rank, in]
  at::Tensor up;    // [out, rank], may be some rows of a larger one
  double scale = 1;
  int64_t first_row = 0;
  int64_t rows = 0;
};

// Whether AddLowRank() takes these: on the CPU, every row contiguous, of one
// type, float32, or bfloat16 where the processor multiplies it in hardware.
bool CanAddLowRank(const at::Tensor& x, const at::Tensor& y);

// y [R, ..., out] += scale * (x [R, ..., in] down^T) up^T for the rows of each
// product, which have none in common. x down^T is rounded to the type, the rest
// is in float32. A row has the same bits whatever the other rows, the other
// products and the threads.
void AddLowRank(const std::vector<LowRankProduct>& products,
                const at::Tensor& x, const at::Tensor& y);

}  // namespace genzo

#endif  // GENZO_WORKER_KERNELS_LOW_RANK_H_
