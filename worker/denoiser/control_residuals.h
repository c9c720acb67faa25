#ifndef GENZO_WORKER_DENOISER_CONTROL_RESIDUALS_H_
#define GENZO_WORKER_DENOISER_CONTROL_RESIDUALS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// What a control network adds inside the denoiser that it steers. Of a U-Net:
// `within` where the levels of the way down end, and to the middle block's
// output where there is one more of its shape; levels that have none keep what
// they are; `early` to what the way down hands to the way
// up, `late` to the middle block's output. Of FLUX: `early` and `late` to the
// picture's tokens behind each block of two streams, and behind each of one.
// Tensors [rows, ...], of the denoiser's type.
struct ControlResiduals {
  std::vector<at::Tensor> early, late, within;
  // Fewer than the denoiser has blocks are used in turn; else each for as many
  // blocks in a row.
  bool repeat = false;
};

// Rows of an evaluation, and what is added to them: a row each, or one for all.
struct ControlSegment {
  int64_t first_row = 0;
  int64_t rows = 1;
  ControlResiduals residuals;
};

// Adds to x [B, ...], in place, what the rows' controls have for block `block`
// of `blocks`. Other rows keep their bits.
void AddEarly(const std::vector<ControlSegment>& controls, size_t block,
              size_t blocks, const at::Tensor& x);
void AddLate(const std::vector<ControlSegment>& controls, size_t block,
             size_t blocks, const at::Tensor& x);

// The same at the end of level `level` of a U-Net's way down.
void AddWithin(const std::vector<ControlSegment>& controls, size_t level,
               const at::Tensor& x);
// And at the end of the middle, behind `levels` levels, what is of x's shape.
void AddToMiddle(const std::vector<ControlSegment>& controls, size_t levels,
                 const at::Tensor& x);

// All residuals times `weight`; `fading` from a tenth of it at the first to the
// whole at the last, as diffusers' guess_mode has them.
ControlResiduals Weighted(const ControlResiduals& residuals, double weight,
                          bool fading);

// Rows [begin, begin + count) of all.
ControlResiduals RowsOf(const ControlResiduals& residuals, int64_t begin,
                        int64_t count);

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_CONTROL_RESIDUALS_H_
