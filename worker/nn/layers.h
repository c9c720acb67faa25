#ifndef GENZO_WORKER_NN_LAYERS_H_
#define GENZO_WORKER_NN_LAYERS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/core/Tensor.h"
#include "worker/kernels/onednn.h"
#include "worker/nn/activation.h"
#include "worker/nn/adapters.h"
#include "worker/weights/weights.h"

// The few layers that every architecture here is made of. Each takes its
// tensors from a Weights subtree by the names that checkpoints use, is
// immutable and may be called by any thread.

namespace genzo {

// y = x W^T + b over the last dimension, with the operation that follows fused
// in where the processor's library can. A row's bits do not depend on which
// deltas other rows have.
struct Linear {
  Linear(const Weights& weights, int64_t in, int64_t out, bool has_bias = true);
  // weight [out, in], bias [out] or undefined. Where they are a part of a
  // checkpoint's layer, `name` is that layer's, and the part begins at its
  // output `first_out`.
  Linear(const at::Tensor& weight, const at::Tensor& bias,
         std::string name = "", int64_t first_out = 0);

  // [B, ..., in] -> [B, ..., out]; `context` speaks of the B rows.
  at::Tensor forward(const at::Tensor& x,
                     const EvalContext& context = NoAdapters()) const;
  at::Tensor forward_gelu(const at::Tensor& x,
                          const EvalContext& context = NoAdapters()) const;
  // `other` [B, ..., out] is added to y, or multiplied with it.
  at::Tensor forward_add(const at::Tensor& x, const at::Tensor& other,
                         const EvalContext& context = NoAdapters()) const;
  at::Tensor forward_mul(const at::Tensor& x, const at::Tensor& other,
                         const EvalContext& context = NoAdapters()) const;

  // y += what the rows' deltas make of x.
  void AddDeltas(const EvalContext& context, const at::Tensor& x,
                 const at::Tensor& y) const;

  std::string name;
  int64_t first_out;
  int64_t outputs;
  bool packed;
  at::Tensor weight;  // [out, in], laid out for oneDNN where `packed`
  at::Tensor bias;    // [out], undefined without bias

 private:
  // The same of rows that all have these.
  void AddDeltas(const std::vector<LayerDelta>& deltas, const at::Tensor& x,
                 const at::Tensor& y) const;
  at::Tensor Plain(const at::Tensor& x) const;
};

// Two-dimensional convolution. Feature maps are channels last in memory
// throughout.
struct Conv2d {
  Conv2d(const Weights& weights, int64_t in, int64_t out,
         const ConvGeometry& geometry = {}, bool has_bias = true);
  // weight [out, in, kernel, kernel], bias [out] or undefined.
  Conv2d(const at::Tensor& weight, const at::Tensor& bias,
         const ConvGeometry& geometry);
  // [B, in, H, W] -> [B, out, ...]; `context` speaks of the B rows.
  at::Tensor forward(const at::Tensor& x,
                     const EvalContext& context = NoAdapters()) const;
  at::Tensor forward_relu(const at::Tensor& x) const;
  // `other` of the result's shape is added.
  at::Tensor forward_add(const at::Tensor& x, const at::Tensor& other,
                         const EvalContext& context = NoAdapters()) const;

  // y += what the rows' deltas make of x.
  void AddDeltas(const EvalContext& context, const at::Tensor& x,
                 const at::Tensor& y) const;

  // Elements that such a layer has beyond those of the tensor `name` of a
  // checkpoint, for weights like `example`.
  static int64_t ElementsMade(const std::string& name, at::IntArrayRef sizes,
                              const at::Tensor& example);

  // A matrix product at every place. oneDNN lays out the weights of such
  // convolutions differently for every size of input, those of matrix products
  // once; and laying them out again took longer than the product.
  bool pointwise() const {
    return geometry.kernel == 1 && geometry.stride == 1 &&
           geometry.padding == 0;
  }

  std::string name;
  bool packed;
  bool winograd;
  // [out, in, kernel, kernel], for oneDNN where `packed`; for WinogradConv2d
  // where `winograd`.
  at::Tensor weight;
  at::Tensor bias;  // [out], undefined without bias
  ConvGeometry geometry;

 private:
  void Pack();
  void AddDeltas(const std::vector<LayerDelta>& deltas, const at::Tensor& x,
                 const at::Tensor& y) const;
  void AddDeltas(const RowDeltas& deltas, const at::Tensor& x,
                 const at::Tensor& y) const;
  at::Tensor Plain(const at::Tensor& x) const;
  at::Tensor PlainAdd(const at::Tensor& x, const at::Tensor& other) const;
};

// Normalises over groups of channels and space (arXiv:1803.08494).
struct GroupNorm {
  GroupNorm(const Weights& weights, int64_t groups, int64_t channels,
            double eps);
  at::Tensor forward(const at::Tensor& x) const;  // [B, C, H, W] -> same
  // The same through SiLU, with `shift` [B, C] float32 added to x first unless
  // undefined.
  at::Tensor forward_silu(const at::Tensor& x,
                          const at::Tensor& shift = {}) const;
  // Or through another; SiLU is the fast one.
  at::Tensor forward_through(Activation activation, const at::Tensor& x,
                             const at::Tensor& shift = {}) const;

  at::Tensor weight;  // [C] float32
  at::Tensor bias;    // [C] float32
  int64_t groups;
  double eps;

 private:
  at::Tensor Normalise(const at::Tensor& x, const at::Tensor& shift,
                       bool silu) const;
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

#endif  // GENZO_WORKER_NN_LAYERS_H_
