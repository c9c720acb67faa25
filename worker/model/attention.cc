#include "worker/model/attention.h"

#include "ATen/ops/scaled_dot_product_attention.h"
#include "worker/kernels/flash_attention.h"

namespace genzo {

at::Tensor MultiHeadAttention(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v, int64_t heads, bool upcast) {
  if (!upcast && CanFlashAttend(q, q.size(-1) / heads)) {
    return FlashAttention(q, k, v, heads);
  }
  // With one or two queries LibTorch's kernel computes a row in an order that
  // depends on the other rows; with more it does not.
  constexpr int64_t kFewestQueries = 4;
  if (q.size(1) < kFewestQueries) {
    return MultiHeadAttention(q.repeat({1, kFewestQueries, 1}), k, v, heads,
                              upcast)
        .narrow(1, 0, q.size(1));
  }
  const auto split = [&](const at::Tensor& t) {
    const at::Tensor per_head = t.unflatten(-1, {heads, -1}).transpose(1, 2);
    return upcast ? per_head.to(at::kFloat)
                  : per_head;  // [B, heads, L, D/heads]
  };
  return at::scaled_dot_product_attention(split(q), split(k), split(v))
      .transpose(1, 2)
      .flatten(-2)
      .to(q.scalar_type());
}

Attention::Attention(const Weights& weights, int64_t dim, int64_t context_dim,
                     int64_t heads, bool upcast)
    : to_q(weights["to_q"], dim, dim, /*has_bias=*/false),
      to_k(weights["to_k"], context_dim, dim, /*has_bias=*/false),
      to_v(weights["to_v"], context_dim, dim, /*has_bias=*/false),
      to_out(weights.At("to_out", 0), dim, dim),
      heads(heads),
      upcast(upcast) {}

KeyValues Attention::Project(const at::Tensor& context) const {
  return {to_k.forward(context), to_v.forward(context)};
}

at::Tensor Attention::forward(const at::Tensor& x, const KeyValues& context,
                              const at::Tensor& residual) const {
  return to_out.forward_add(
      MultiHeadAttention(to_q.forward(x), context.k, context.v, heads, upcast),
      residual);
}

}  // namespace genzo
