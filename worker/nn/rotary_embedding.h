#ifndef GENZO_WORKER_NN_ROTARY_EMBEDDING_H_
#define GENZO_WORKER_NN_ROTARY_EMBEDDING_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace genzo {

// Angles by which queries and keys are rotated, so that their products tell
// distances (arXiv:2104.09864): [L, head_dim / 2] float32 each.
struct Rotation {
  at::Tensor cosines, sines;
};

// Of `origin` tokens at place zero and then of the places of `grid`, the last
// axis fastest. A head's first axes[0] elements tell of the first axis, and so
// on; all even (reference: diffusers' FluxPosEmbed, theta 10000).
Rotation RotationAt(int64_t origin, at::IntArrayRef grid,
                    const std::vector<int64_t>& axes, const at::Device& device);

// Rotates neighbouring pairs of elements of each head. x [B, L, D], `heads`
// dividing D; computed in float32, of x's type.
at::Tensor Rotate(const at::Tensor& x, int64_t heads, const Rotation& rotation);

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ROTARY_EMBEDDING_H_
