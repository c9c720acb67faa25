#include "worker/nn/clip_layer.h"

#include "ATen/ops/scaled_dot_product_attention.h"
#include "worker/nn/attention.h"

namespace genzo {
ClipLayer::ClipLayer(const Config& config, const Weights& weights)
    : num_attention_heads(config.num_attention_heads),
      hidden_act(config.hidden_act),
      layer_norm1(weights["layer_norm1"], config.hidden_size,
                  config.layer_norm_eps),
      q_proj(weights["self_attn"]["q_proj"], config.hidden_size,
             config.hidden_size),
      k_proj(weights["self_attn"]["k_proj"], config.hidden_size,
             config.hidden_size),
      v_proj(weights["self_attn"]["v_proj"], config.hidden_size,
             config.hidden_size),
      out_proj(weights["self_attn"]["out_proj"], config.hidden_size,
               config.hidden_size),
      layer_norm2(weights["layer_norm2"], config.hidden_size,
                  config.layer_norm_eps),
      fc1(weights["mlp"]["fc1"], config.hidden_size, config.intermediate_size),
      fc2(weights["mlp"]["fc2"], config.intermediate_size, config.hidden_size) {
}

at::Tensor ClipLayer::ForwardText(at::Tensor x,
                                  const EvalContext& adapters) const {
  const auto heads = [&](const at::Tensor& t) {
    return t.unflatten(-1, {num_attention_heads, -1}).transpose(1, 2);
  };
  const at::Tensor normed = layer_norm1.forward(x);
  const at::Tensor attended =
      at::scaled_dot_product_attention(heads(q_proj.forward(normed, adapters)),
                                       heads(k_proj.forward(normed, adapters)),
                                       heads(v_proj.forward(normed, adapters)),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0,
                                       /*is_causal=*/true);  // [B, H, L, D/H]
  x = x + out_proj.forward(attended.transpose(1, 2).flatten(-2), adapters);
  const at::Tensor hidden = fc1.forward(layer_norm2.forward(x), adapters);
  return x + fc2.forward(Activate(hidden, hidden_act), adapters);  // [B, L, D]
}

at::Tensor ClipLayer::ForwardPicture(at::Tensor x) const {
  const at::Tensor normed = layer_norm1.forward(x);
  x = out_proj.forward_add(
      MultiHeadAttention(q_proj.forward(normed), k_proj.forward(normed),
                         v_proj.forward(normed), num_attention_heads),
      x);
  const at::Tensor hidden = fc1.forward(layer_norm2.forward(x));
  return fc2.forward_add(Activate(hidden, hidden_act), x);  // [B, L, D]
}

}  // namespace genzo
