#include "worker/denoiser/transformer_2d.h"

namespace genzo {
namespace {

constexpr int64_t kRows = 0;  // dimension
constexpr double kLayerNormEps = 1e-5;
constexpr double kGroupNormEps = 1e-6;
constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

// What x sees, before the layer projects it back.
at::Tensor Attend(const Attention& layer, const at::Tensor& x,
                  const KeyValues& context, const EvalContext& adapters) {
  return MultiHeadAttention(layer.to_q.forward(x, adapters), context.k,
                            context.v, layer.heads, layer.upcast);
}

}  // namespace

std::vector<PictureContext> ContextCursor::Pictures() const {
  std::vector<PictureContext> all;
  for (const PicturePrompt& prompt : pictures_) {
    all.push_back({.first_row = prompt.first_row,
                   .rows = prompt.rows,
                   .picture = (*prompt.layers)[next_ / 2 - 1],
                   .scale = prompt.scale});
  }
  return all;
}

Transformer2D::BasicTransformerBlock::BasicTransformerBlock(
    const Weights& weights, const Transformer2DConfig& config)
    : name(weights.path()),
      norm1(weights["norm1"], config.channels, kLayerNormEps),
      attn1(weights["attn1"], config.channels,
            config.only_cross_attention ? config.cross_attention_dim
                                        : config.channels,
            config.heads, config.upcast_attention),
      norm2(weights["norm2"], config.channels, kLayerNormEps),
      attn2(weights["attn2"], config.channels, config.cross_attention_dim,
            config.heads, config.upcast_attention),
      norm3(weights["norm3"], config.channels, kLayerNormEps),
      ff_out(weights["ff"].At("net", 2), 4 * config.channels, config.channels),
      only_cross_attention(config.only_cross_attention) {
  const Weights proj = weights["ff"].At("net", 0)["proj"];
  const int64_t inner = 4 * config.channels;
  const at::Tensor weight = proj.Get("weight", {2 * inner, config.channels});
  const at::Tensor bias = proj.Get("bias", {2 * inner});
  if (bias.numel() == 0) return;  // Weights reports the fault
  ff_value.emplace(weight.narrow(0, 0, inner), bias.narrow(0, 0, inner),
                   proj.path(), /*first_out=*/0);
  ff_gate.emplace(weight.narrow(0, inner, inner), bias.narrow(0, inner, inner),
                  proj.path(), /*first_out=*/inner);
}

at::Tensor Transformer2D::BasicTransformerBlock::forward(
    at::Tensor x, ContextCursor& context, const EvalContext& adapters) const {
  const at::Tensor normed = norm1.forward(x);
  const KeyValues own =
      only_cross_attention ? context.Next() : attn1.Project(normed, adapters);
  const RowEdits& edits = context.edits();
  if (edits.empty()) {
    x = attn1.forward(normed, own, x, adapters);
    const KeyValues text = context.Next();
    x = attn2.forward(norm2.forward(x), text, x, adapters, context.Pictures());
  } else {
    const at::Tensor attended = Attend(attn1, normed, own, adapters);
    CopyRows(IdleRows(edits, name + ".attn1"), own.v, attended);
    x = attn1.to_out.forward_add(attended, x, adapters);
    x = AttendToText(x, context, adapters);
  }
  const at::Tensor h = norm3.forward(x);
  const at::Tensor gate = ff_gate->forward_gelu(h, adapters);
  return ff_out.forward_add(ff_value->forward_mul(h, gate, adapters), x,
                            adapters);  // [B, L, C]
}

at::Tensor Transformer2D::BasicTransformerBlock::AttendToText(
    const at::Tensor& x, ContextCursor& context,
    const EvalContext& adapters) const {
  const RowEdits& edits = context.edits();
  const KeyValues text = context.Next();
  const auto taken = [&](const RowEdit& edit) {
    if (edit.take == nullptr) return at::Tensor();
    const auto found = edit.take->find(name);
    return found == edit.take->end() ? at::Tensor() : found->second;
  };
  int64_t rows_taken = 0;
  for (const RowEdit& edit : edits) {
    if (taken(edit).defined()) rows_taken += edit.rows;
  }
  at::Tensor y;
  if (rows_taken == x.size(0)) {
    y = x.clone();  // nobody is left to look
  } else {
    y = attn2.forward(norm2.forward(x), text, x, adapters, context.Pictures());
    for (const RowEdit& edit : edits) {
      if (edit.keep == nullptr) continue;
      (*edit.keep)[name] = (y - x)
                               .narrow(0, edit.first_row, edit.rows)
                               .mean(kRows, /*keepdim=*/true);
    }
  }
  for (const RowEdit& edit : edits) {
    const at::Tensor features = taken(edit);
    if (!features.defined()) continue;
    y.narrow(0, edit.first_row, edit.rows)
        .copy_(x.narrow(0, edit.first_row, edit.rows) + features);
  }
  return y;
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

void Transformer2D::ProjectContext(const at::Tensor& context,
                                   const EvalContext& adapters,
                                   std::vector<at::Tensor>& prepared) const {
  const auto append = [&](const Attention& attention) {
    const KeyValues projected = attention.Project(context, adapters);
    prepared.push_back(projected.k);
    prepared.push_back(projected.v);
  };
  for (const BasicTransformerBlock& block : transformer_blocks_) {
    if (block.only_cross_attention) append(block.attn1);
    append(block.attn2);
  }
}

void Transformer2D::ListSelfAttention(std::vector<std::string>& names) const {
  for (const BasicTransformerBlock& block : transformer_blocks_) {
    if (!block.only_cross_attention) names.push_back(block.name + ".attn1");
  }
}

at::Tensor Transformer2D::forward(const at::Tensor& x, ContextCursor& context,
                                  const EvalContext& adapters) const {
  const int64_t height = x.size(2);
  // Views both, as feature maps are channels last.
  const auto to_sequence = [](const at::Tensor& t) {
    return t.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, H W, C]
  };
  const auto to_image = [&](const at::Tensor& t) {
    return t.unflatten(1, {height, -1}).permute({0, 3, 1, 2});
  };
  at::Tensor h = norm_.forward(x);
  h = proj_in_linear_.has_value()
          ? proj_in_linear_->forward(to_sequence(h), adapters)
          : to_sequence(proj_in_conv_->forward(h, adapters));
  for (const auto& block : transformer_blocks_) {
    h = block.forward(h, context, adapters);
  }
  return proj_out_linear_.has_value()
             ? to_image(
                   proj_out_linear_->forward_add(h, to_sequence(x), adapters))
             : proj_out_conv_->forward_add(to_image(h), x, adapters);
}

}  // namespace genzo
