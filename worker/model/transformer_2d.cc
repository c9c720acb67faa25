#include "worker/model/transformer_2d.h"

#include "ATen/ops/gelu.h"

namespace genzo {
namespace {

constexpr double kLayerNormEps = 1e-5;
constexpr double kGroupNormEps = 1e-6;
constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

}  // namespace

Transformer2D::BasicTransformerBlock::BasicTransformerBlock(
    const Weights& weights, const Transformer2DConfig& config)
    : norm1(weights["norm1"], config.channels, kLayerNormEps),
      attn1(weights["attn1"], config.channels,
            config.only_cross_attention ? config.cross_attention_dim
                                        : config.channels,
            config.heads, config.upcast_attention),
      norm2(weights["norm2"], config.channels, kLayerNormEps),
      attn2(weights["attn2"], config.channels, config.cross_attention_dim,
            config.heads, config.upcast_attention),
      norm3(weights["norm3"], config.channels, kLayerNormEps),
      ff_in(weights["ff"].At("net", 0)["proj"], config.channels,
            8 * config.channels),
      ff_out(weights["ff"].At("net", 2), 4 * config.channels, config.channels),
      only_cross_attention(config.only_cross_attention) {}

at::Tensor Transformer2D::BasicTransformerBlock::forward(
    at::Tensor x, const at::Tensor& context) const {
  const at::Tensor normed = norm1.forward(x);
  x = x + attn1.forward(normed, only_cross_attention ? context : normed);
  x = x + attn2.forward(norm2.forward(x), context);
  const auto parts = ff_in.forward(norm3.forward(x)).chunk(2, -1);  // GEGLU
  return x + ff_out.forward(parts[0] * at::gelu(parts[1]));         // [B, L, C]
}

Transformer2D::Transformer2D(const Weights& weights,
                             const Transformer2DConfig& config)
    : norm_(weights["norm"], config.norm_num_groups, config.channels,
            kGroupNormEps) {
  const int64_t c = config.channels;
  if (config.use_linear_projection) {
    proj_in_linear_.emplace(weights["proj_in"], c, c);
    proj_out_linear_.emplace(weights["proj_out"], c, c);
  } else {
    proj_in_conv_.emplace(weights["proj_in"], c, c, kPointwise);
    proj_out_conv_.emplace(weights["proj_out"], c, c, kPointwise);
  }
  for (int64_t i = 0; i < config.layers; ++i) {
    transformer_blocks_.emplace_back(weights.At("transformer_blocks", i),
                                     config);
  }
}

at::Tensor Transformer2D::forward(const at::Tensor& x,
                                  const at::Tensor& context) const {
  const int64_t height = x.size(2);
  const auto to_sequence = [](const at::Tensor& t) {
    return t.flatten(2).transpose(1, 2);  // [B, C, H, W] -> [B, H W, C]
  };
  const auto to_image = [&](const at::Tensor& t) {
    return t.transpose(1, 2).unflatten(2, {height, -1});
  };
  at::Tensor h = norm_.forward(x);
  h = proj_in_linear_.has_value() ? proj_in_linear_->forward(to_sequence(h))
                                  : to_sequence(proj_in_conv_->forward(h));
  for (const auto& block : transformer_blocks_) h = block.forward(h, context);
  h = proj_out_linear_.has_value() ? to_image(proj_out_linear_->forward(h))
                                   : proj_out_conv_->forward(to_image(h));
  return x + h;
}

}  // namespace genzo
