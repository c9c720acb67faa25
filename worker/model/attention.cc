#include "worker/model/attention.h"

#include "ATen/ops/scaled_dot_product_attention.h"

namespace genzo {

at::Tensor MultiHeadAttention(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v, int64_t heads, bool upcast) {
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

at::Tensor Attention::forward(const at::Tensor& x,
                              const at::Tensor& context) const {
  return to_out.forward(
      MultiHeadAttention(to_q.forward(x), to_k.forward(context),
                         to_v.forward(context), heads, upcast));
}

}  // namespace genzo
