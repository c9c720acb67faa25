#ifndef GENZO_WORKER_NN_UPSAMPLE_2D_H_
#define GENZO_WORKER_NN_UPSAMPLE_2D_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/nn/layers.h"

namespace genzo {

// Enlarges to a given height and width by repeating places, then convolves,
// 3x3. Where the size doubles, the result's places of each parity, (row mod 2,
// column mod 2), are a 2x2 convolution of the input: 16 multiplications for
// every 36, and no enlarged map. Sums of weights round differently from sums of
// products, by as much as any order of adding does.
struct Upsample2D {
  // Takes the layer "conv".
  Upsample2D(const Weights& weights, int64_t channels);

  // [B, C, H, W] -> [B, C, size...]
  at::Tensor forward(const at::Tensor& x, at::IntArrayRef size,
                     const EvalContext& adapters = NoAdapters()) const;

  // Elements that such a layer makes of the tensor `name` of a checkpoint, for
  // weights like `example`; 0 for tensors of other layers.
  static int64_t ElementsMade(const std::string& name, int64_t elements,
                              const at::Tensor& example);

  Conv2d conv;
  std::vector<Conv2d> parities;  // 4, row first; none where conv is not packed
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_UPSAMPLE_2D_H_
