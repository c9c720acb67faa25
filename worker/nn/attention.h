#ifndef GENZO_WORKER_NN_ATTENTION_H_
#define GENZO_WORKER_NN_ATTENTION_H_

#include <cstdint>
#include <vector>

#include "worker/nn/layers.h"

namespace genzo {

// softmax(q k^T / sqrt(D / heads)) v for each head. q [B, L, D], k and v
// [B, M, D] with `heads` dividing D; returns [B, L, D]. `upcast` computes in
// float32 whatever the inputs are.
at::Tensor MultiHeadAttention(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v, int64_t heads,
                              bool upcast = false);

// What queries attend to: [B, M, D] each.
struct KeyValues {
  at::Tensor k, v;
};

// A picture that some rows attend to beside their text (IP-Adapter,
// arXiv:2308.06721, equation 5): scale * attention(q, k, v) is added to theirs.
struct PictureContext {
  int64_t first_row = 0;
  int64_t rows = 1;
  KeyValues picture;  // of those rows
  double scale = 1;
};

// Attention of a transformer block: x attends to itself or to a context.
struct Attention {
  // `context_dim` is the context's width; equal to `dim` for self-attention.
  Attention(const Weights& weights, int64_t dim, int64_t context_dim,
            int64_t heads, bool upcast);

  // context [B, M, context_dim] -> what forward() attends to. Depends on
  // nothing else, so a text's are computed once.
  KeyValues Project(const at::Tensor& context,
                    const EvalContext& adapters = NoAdapters()) const;

  // residual + the attention of x; all [B, L, dim]. Rows that `pictures` does
  // not name keep their bits.
  at::Tensor forward(const at::Tensor& x, const KeyValues& context,
                     const at::Tensor& residual,
                     const EvalContext& adapters = NoAdapters(),
                     const std::vector<PictureContext>& pictures = {}) const;

  Linear to_q, to_k, to_v, to_out;
  int64_t heads;
  bool upcast;
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_ATTENTION_H_
