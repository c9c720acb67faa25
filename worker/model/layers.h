#ifndef GENZO_WORKER_MODEL_LAYERS_H_
#define GENZO_WORKER_MODEL_LAYERS_H_

#include <cstdint>

#include "ATen/TensorOperators.h"
#include "ATen/core/Tensor.h"
#include "worker/weights/weights.h"

// The few layers that every architecture here is made of. Each takes its
// tensors from a Weights subtree by the names that checkpoints use, is
// immutable and may be called by any thread.

namespace genzo {

// y = x W^T + b over the last dimension.
struct Linear {
  Linear(const Weights& weights, int64_t in, int64_t out, bool has_bias = true);
  at::Tensor forward(const at::Tensor& x) const;  // [..., in] -> [..., out]

  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out], undefined without bias
};

// How a convolution walks over its input.
struct ConvGeometry {
  int64_t kernel = 3;
  int64_t stride = 1;
  int64_t padding = 1;
};

// Two-dimensional convolution with bias.
struct Conv2d {
  Conv2d(const Weights& weights, int64_t in, int64_t out,
         const ConvGeometry& geometry = {});
  at::Tensor forward(
      const at::Tensor& x) const;  // [B, in, H, W] -> [B, out, ...]

  at::Tensor weight;  // [out, in, kernel, kernel]
  at::Tensor bias;    // [out]
  ConvGeometry geometry;
};

// Normalises over groups of channels and space (arXiv:1803.08494).
struct GroupNorm {
  GroupNorm(const Weights& weights, int64_t groups, int64_t channels,
            double eps);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, ...] -> same

  at::Tensor weight;  // [C]
  at::Tensor bias;    // [C]
  int64_t groups;
  double eps;
};

// Normalises over the last dimension (arXiv:1607.06450).
struct LayerNorm {
  LayerNorm(const Weights& weights, int64_t size, double eps);
  at::Tensor forward(const at::Tensor& x) const;  // [..., size] -> same

  at::Tensor weight;  // [size]
  at::Tensor bias;    // [size]
  double eps;
};

}  // namespace genzo

#endif  // GENZO_WORKER_MODEL_LAYERS_H_
