#include "worker/nn/attention.h"

#include "ATen/ops/scaled_dot_product_attention.h"
#include "worker/kernels/flash_attention.h"

namespace genzo {

at::Tensor MultiHeadAttention(const at::Tensor& q, const at::Tensor& k,
                              const at::Tensor& v, int64_t heads, bool upcast) {
  if (upcast && q.scalar_type() != at::kFloat) {
    return MultiHeadAttention(q.to(at::kFloat), k.to(at::kFloat),
                              v.to(at::kFloat), heads)
        .to(q.scalar_type());
  }
  if (CanFlashAttend(q, q.size(-1) / heads)) {
    return FlashAttention(q, k, v, heads);
  }
  const auto split = [&](const at::Tensor& t) {
    return t.unflatten(-1, {heads, -1}).transpose(1, 2);  // [B, heads, L, D/h]
  };
  return at::scaled_dot_product_attention(split(q), split(k), split(v))
      .transpose(1, 2)
      .flatten(-2);
}

Attention::Attention(const Weights& weights, int64_t dim, int64_t context_dim,
                     int64_t heads, bool upcast)
    : to_q(weights["to_q"], dim, dim, /*has_bias=*/false),
      to_k(weights["to_k"], context_dim, dim, /*has_bias=*/false),
      to_v(weights["to_v"], context_dim, dim, /*has_bias=*/false),
      to_out(weights.At("to_out", 0), dim, dim),
      heads(heads),
      upcast(upcast) {}

KeyValues Attention::Project(const at::Tensor& context,
                             const EvalContext& adapters) const {
  return {to_k.forward(context, adapters), to_v.forward(context, adapters)};
}

at::Tensor Attention::forward(
    const at::Tensor& x, const KeyValues& context, const at::Tensor& residual,
    const EvalContext& adapters,
    const std::vector<PictureContext>& pictures) const {
  const at::Tensor q = to_q.forward(x, adapters);
  const at::Tensor attended =
      MultiHeadAttention(q, context.k, context.v, heads, upcast);
  for (const PictureContext& one : pictures) {
    const at::Tensor seen =
        MultiHeadAttention(q.narrow(0, one.first_row, one.rows), one.picture.k,
                           one.picture.v, heads, upcast);
    // Not add_(seen, scale): where that is fused, bits depend on the place.
    attended.narrow(0, one.first_row, one.rows).add_(seen * one.scale);
  }
  return to_out.forward_add(attended, residual, adapters);
}

}  // namespace genzo
