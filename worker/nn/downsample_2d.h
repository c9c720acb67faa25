#ifndef GENZO_WORKER_NN_DOWNSAMPLE_2D_H_
#define GENZO_WORKER_NN_DOWNSAMPLE_2D_H_

#include <cstdint>

#include "worker/nn/layers.h"

namespace genzo {

// Halves height and width.
struct Downsample2D {
  // `padding` 0 pads below and right only, as the reference does.
  Downsample2D(const Weights& weights, int64_t channels, int64_t padding);
  at::Tensor forward(const at::Tensor& x,
                     const EvalContext& adapters = NoAdapters()) const;

  Conv2d conv;
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_DOWNSAMPLE_2D_H_
