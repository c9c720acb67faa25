#include "worker/text/t5_encoder.h"

#include <algorithm>
#include <cmath>

#include "ATen/ops/embedding.h"
#include "ATen/ops/mean.h"
#include "ATen/ops/rsqrt.h"
#include "ATen/ops/scaled_dot_product_attention.h"
#include "ATen/ops/tensor.h"
#include "absl/strings/strip.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kFirstAttention[] = "encoder.block.0.layer.0.SelfAttention";

// Which bias a key has that is `distance` places behind the query: one each for
// near ones, then logarithmically fewer; half of them for keys before it.
int64_t Bucket(const T5Config& config, int64_t distance) {
  const int64_t half = config.relative_attention_num_buckets / 2;
  const int64_t exact = half / 2;
  const int64_t side = distance > 0 ? half : 0;
  const int64_t n = std::abs(distance);
  if (n < exact) return side + n;
  // In float32, as in the reference, where it decides on the last place.
  const float share =
      std::log(static_cast<float>(n) / static_cast<float>(exact)) /
      static_cast<float>(
          std::log(static_cast<double>(config.relative_attention_max_distance) /
                   static_cast<double>(exact)));
  const auto far =
      static_cast<int64_t>(share * static_cast<float>(half - exact));
  return side + std::min(exact + far, half - 1);
}

// What the last layer of a block gives may be over what float16 holds.
Linear OutputLayer(const Weights& weights, int64_t in, int64_t out) {
  at::Tensor weight = weights.Get("weight", {out, in});
  if (weight.scalar_type() != at::kHalf) {
    return Linear(weight, /*bias=*/{}, weights.path());
  }
  weights.AddBytes(-static_cast<int64_t>(weight.nbytes()));
  return Linear(weights.GetFloat("weight", {out, in}), /*bias=*/{},
                weights.path());
}

void ReadFeedForward(JsonConfig& json, T5Config& config) {
  constexpr char kKey[] = "feed_forward_proj";
  const std::string name = json.String(kKey, "relu");
  absl::string_view activation = name;
  const bool gated = absl::ConsumePrefix(&activation, "gated-");
  // As transformers reads the name that T5 1.1 has.
  if (name == "gated-gelu") activation = "gelu_new";
  // What it writes out in words of its own, it believes before the name.
  config.gated = json.Bool("is_gated_act", gated);
  config.activation =
      json.Has("dense_act_fn")
          ? ReadTransformersActivation(json, "dense_act_fn", "")
          : TransformersActivation(json, kKey, std::string(activation));
}

}  // namespace

absl::StatusOr<T5Config> ReadT5Config(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  T5Config config;
  const auto size = [&](const char* key, int64_t& value) {
    value = json->Int(key, value, /*min=*/1);
  };
  size("vocab_size", config.vocab_size);
  size("d_model", config.d_model);
  size("d_kv", config.d_kv);
  size("d_ff", config.d_ff);
  config.num_layers =
      json->Int("num_layers", config.num_layers, 1, JsonConfig::kMaxLayers);
  size("num_heads", config.num_heads);
  config.relative_attention_num_buckets = json->Int(
      "relative_attention_num_buckets", config.relative_attention_num_buckets,
      /*min=*/4, /*max=*/4096);
  config.relative_attention_max_distance = json->Int(
      "relative_attention_max_distance", config.relative_attention_max_distance,
      /*min=*/config.relative_attention_num_buckets);
  config.layer_norm_epsilon =
      json->Number("layer_norm_epsilon", config.layer_norm_epsilon,
                   /*min=*/0, /*max=*/1);
  ReadFeedForward(*json, config);
  if (!json->status().ok()) return json->status();
  return config;
}

T5Encoder::Norm::Norm(const Weights& weights, const T5Config& config)
    : weight(weights.Get("weight", {config.d_model})),
      eps(config.layer_norm_epsilon) {}

at::Tensor T5Encoder::Norm::forward(const at::Tensor& x) const {
  const at::Tensor variance = at::mean(x.square(), -1, /*keepdim=*/true);
  return (x * at::rsqrt(variance + eps)).to(weight.scalar_type()) * weight;
}

T5Encoder::Block::Block(const T5Config& config, const Weights& weights)
    : num_heads(config.num_heads),
      attention_norm(weights.At("layer", 0)["layer_norm"], config),
      q(weights.At("layer", 0)["SelfAttention"]["q"], config.d_model,
        config.num_heads * config.d_kv, /*has_bias=*/false),
      k(weights.At("layer", 0)["SelfAttention"]["k"], config.d_model,
        config.num_heads * config.d_kv, /*has_bias=*/false),
      v(weights.At("layer", 0)["SelfAttention"]["v"], config.d_model,
        config.num_heads * config.d_kv, /*has_bias=*/false),
      o(weights.At("layer", 0)["SelfAttention"]["o"],
        config.num_heads * config.d_kv, config.d_model, /*has_bias=*/false),
      ff_norm(weights.At("layer", 1)["layer_norm"], config),
      activation(config.activation),
      wi(weights.At("layer", 1)["DenseReluDense"][config.gated ? "wi_0" : "wi"],
         config.d_model, config.d_ff, /*has_bias=*/false),
      wo(OutputLayer(weights.At("layer", 1)["DenseReluDense"]["wo"],
                     config.d_ff, config.d_model)) {
  if (!config.gated) return;
  gate.emplace(weights.At("layer", 1)["DenseReluDense"]["wi_1"], config.d_model,
               config.d_ff, /*has_bias=*/false);
}

at::Tensor T5Encoder::Block::forward(at::Tensor x,
                                     const at::Tensor& bias) const {
  const auto heads = [&](const at::Tensor& t) {
    return t.unflatten(-1, {num_heads, -1}).transpose(1, 2);
  };
  const at::Tensor normed = attention_norm.forward(x);
  const at::Tensor attended = at::scaled_dot_product_attention(
      heads(q.forward(normed)), heads(k.forward(normed)),
      heads(v.forward(normed)), bias, /*dropout_p=*/0.0,
      /*is_causal=*/false, /*scale=*/1.0);  // [B, H, L, d_kv]
  x = x + o.forward(attended.transpose(1, 2).flatten(-2));
  const at::Tensor h = ff_norm.forward(x);
  const at::Tensor active = Activate(wi.forward(h), activation);
  const at::Tensor inner =
      gate.has_value() ? gate->forward_mul(h, active) : active;
  return x + wo.forward(inner.to(wo.weight.scalar_type()));  // [B, L, d_model]
}

T5Encoder::T5Encoder(const T5Config& config, const Weights& weights)
    : config_(config),
      shared_(
          weights["shared"].Get("weight", {config.vocab_size, config.d_model})),
      relative_attention_bias_(
          weights[kFirstAttention]["relative_attention_bias"].Get(
              "weight",
              {config.relative_attention_num_buckets, config.num_heads})),
      final_layer_norm_(weights["encoder"]["final_layer_norm"], config) {
  for (int64_t i = 0; i < config.num_layers; ++i) {
    blocks_.emplace_back(config, weights["encoder"].At("block", i));
  }
}

at::Tensor T5Encoder::PositionBias(int64_t length) const {
  std::vector<int64_t> buckets;
  buckets.reserve(static_cast<size_t>(length * length));
  for (int64_t query = 0; query < length; ++query) {
    for (int64_t key = 0; key < length; ++key) {
      buckets.push_back(Bucket(config_, key - query));
    }
  }
  const at::Tensor indices = at::tensor(buckets, at::kLong)
                                 .view({length, length})
                                 .to(relative_attention_bias_.device());
  return at::embedding(relative_attention_bias_, indices)
      .permute({2, 0, 1})
      .unsqueeze(0)
      .contiguous();
}

at::Tensor T5Encoder::forward(const at::Tensor& ids) const {
  const at::Tensor bias = PositionBias(ids.size(1));
  // The sum over all blocks outgrows float16, and bfloat16 loses its small
  // parts.
  at::Tensor x = at::embedding(shared_, ids).to(at::kFloat);  // [B, L, d_model]
  for (const Block& block : blocks_) x = block.forward(x, bias);
  return final_layer_norm_.forward(x);
}

}  // namespace genzo
