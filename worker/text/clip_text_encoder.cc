#include "worker/text/clip_text_encoder.h"

#include "ATen/ops/argmax.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/embedding.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// Files of CLIPTextModel name their weights text_model.*; newer ones may not.
Weights TextModel(const Weights& weights) {
  const Weights inner = weights["text_model"];
  return inner["embeddings"]["token_embedding"].Has("weight") ? inner : weights;
}

// Said by the first files whatever their tokenizer's end token is; the
// reference then takes the largest id.
constexpr int64_t kLegacyEosTokenId = 2;

}  // namespace

absl::StatusOr<ClipTextConfig> ReadClipTextConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  ClipTextConfig config;
  const auto size = [&](const char* key, int64_t& value) {
    value = json->Int(key, value, /*min=*/1);
  };
  size("vocab_size", config.vocab_size);
  size("hidden_size", config.hidden_size);
  size("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = json->Int(
      "num_hidden_layers", config.num_hidden_layers, 1, JsonConfig::kMaxLayers);
  size("num_attention_heads", config.num_attention_heads);
  size("max_position_embeddings", config.max_position_embeddings);
  config.eos_token_id = json->Int("eos_token_id", config.eos_token_id);
  config.layer_norm_eps = json->Number("layer_norm_eps", config.layer_norm_eps,
                                       /*min=*/0, /*max=*/1);
  config.hidden_act =
      ReadTransformersActivation(*json, "hidden_act", "quick_gelu");
  if (config.hidden_size % config.num_attention_heads != 0) {
    json->Fail(absl::StatusCode::kInvalidArgument, "num_attention_heads",
               "does not divide hidden_size");
  }
  if (!json->status().ok()) return json->status();
  return config;
}

absl::StatusOr<ClipTextConfig> ReadClipTextProjectionConfig(
    const TextFile& file) {
  auto config = ReadClipTextConfig(file);
  if (!config.ok()) return config.status();
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  config->projection_dim = json->Int("projection_dim", 512, /*min=*/1);
  if (!json->status().ok()) return json->status();
  return config;
}

ClipTextEncoder::ClipTextEncoder(const ClipTextConfig& config,
                                 const Weights& weights)
    : eos_token_id_(config.eos_token_id),
      token_embedding_(TextModel(weights)["embeddings"]["token_embedding"].Get(
          "weight", {config.vocab_size, config.hidden_size})),
      position_embedding_(
          TextModel(weights)["embeddings"]["position_embedding"].Get(
              "weight", {config.max_position_embeddings, config.hidden_size})),
      final_layer_norm_(TextModel(weights)["final_layer_norm"],
                        config.hidden_size, config.layer_norm_eps) {
  const ClipLayer::Config layer = {
      .hidden_size = config.hidden_size,
      .intermediate_size = config.intermediate_size,
      .num_attention_heads = config.num_attention_heads,
      .layer_norm_eps = config.layer_norm_eps,
      .hidden_act = config.hidden_act};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.emplace_back(layer, TextModel(weights)["encoder"].At("layers", i));
  }
  if (config.projection_dim > 0) {
    text_projection_.emplace(weights["text_projection"], config.hidden_size,
                             config.projection_dim, /*has_bias=*/false);
  }
}

at::Tensor ClipTextEncoder::Embed(const at::Tensor& ids,
                                  const LearnedWords& learned) const {
  const at::Tensor positions = position_embedding_.narrow(0, 0, ids.size(1));
  if (learned.vectors().empty()) {
    return at::embedding(token_embedding_, ids) + positions;  // [B, L, D]
  }
  const at::Tensor x = at::embedding(
      token_embedding_, ids.clamp_max(token_embedding_.size(0) - 1));
  const at::Tensor on_cpu = ids.cpu();
  for (int64_t row = 0; row < ids.size(0); ++row) {
    for (int64_t place = 0; place < ids.size(1); ++place) {
      const int64_t vector =
          on_cpu[row][place].item<int64_t>() - learned.first_id();
      if (vector >= 0) x[row][place].copy_(learned.vectors()[vector]);
    }
  }
  return x + positions;
}

at::Tensor ClipTextEncoder::forward(const at::Tensor& ids, int64_t clip_skip,
                                    const EvalContext& adapters,
                                    const LearnedWords& learned) const {
  at::Tensor x = Embed(ids, learned);
  const size_t used = layers_.size() - static_cast<size_t>(clip_skip);
  for (size_t i = 0; i < used; ++i) x = layers_[i].ForwardText(x, adapters);
  return final_layer_norm_.forward(x);
}

at::Tensor ClipTextEncoder::EndOf(const at::Tensor& ids) const {
  return eos_token_id_ == kLegacyEosTokenId
             ? at::argmax(ids, 1)
             : at::argmax((ids == eos_token_id_).to(at::kInt), 1);
}

ClipTextStates ClipTextEncoder::EncodePooled(
    const at::Tensor& ids, int64_t skipped, const EvalContext& adapters,
    const LearnedWords& learned) const {
  at::Tensor x = Embed(ids, learned);
  const size_t used = layers_.size() - static_cast<size_t>(skipped);
  at::Tensor hidden = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i].ForwardText(x, adapters);
    if (i + 1 == used) hidden = x;
  }
  const at::Tensor ends = EndOf(ids).cpu();
  std::vector<at::Tensor> pooled;
  // One by one: products of few rows are added up in another order than those
  // of more, and a text's bits must not depend on its company.
  for (int64_t row = 0; row < ids.size(0); ++row) {
    const at::Tensor end = final_layer_norm_.forward(
        x[row].narrow(0, ends[row].item<int64_t>(), 1));  // [1, D]
    pooled.push_back(text_projection_.has_value()
                         ? text_projection_->forward(end, adapters.OfRow(row))
                         : end);
  }
  return {.hidden = hidden, .pooled = at::cat(pooled)};
}

}  // namespace genzo
