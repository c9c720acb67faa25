#include "worker/vision/clip_vision_encoder.h"

#include "ATen/ops/cat.h"
#include "ATen/ops/linalg_vector_norm.h"
#include "ATen/ops/matmul.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

at::Tensor OfLengthOne(const at::Tensor& x) {
  return x / at::linalg_vector_norm(x, 2, {-1}, /*keepdim=*/true);
}

}  // namespace

at::Tensor CosineSimilarity(const at::Tensor& a, const at::Tensor& b) {
  return at::matmul(OfLengthOne(a), OfLengthOne(b).t());
}

absl::StatusOr<ClipVisionConfig> ReadClipVisionConfig(const TextFile& file) {
  auto whole = JsonConfig::ReadFile(file);
  if (!whole.ok()) return whole.status();
  const auto part = whole->object().find("vision_config");
  const bool nested = part != whole->object().end() && part->is_object();
  JsonConfig json =
      nested ? JsonConfig(*part, whole->name() + ": vision_config") : *whole;
  ClipVisionConfig config;
  const auto size = [&](const char* key, int64_t& value) {
    value = json.Int(key, value, /*min=*/1);
  };
  size("hidden_size", config.hidden_size);
  size("intermediate_size", config.intermediate_size);
  config.num_hidden_layers = json.Int(
      "num_hidden_layers", config.num_hidden_layers, 1, JsonConfig::kMaxLayers);
  size("num_attention_heads", config.num_attention_heads);
  constexpr int64_t kMaxImageSize = 2048;
  config.image_size =
      json.Int("image_size", config.image_size, 1, kMaxImageSize);
  config.patch_size =
      json.Int("patch_size", config.patch_size, 1, config.image_size);
  config.projection_dim = whole->Int("projection_dim", 512, /*min=*/1);
  config.layer_norm_eps = json.Number("layer_norm_eps", config.layer_norm_eps,
                                      /*min=*/0, /*max=*/1);
  config.hidden_act =
      ReadTransformersActivation(json, "hidden_act", "quick_gelu");
  if (config.hidden_size % config.num_attention_heads != 0) {
    json.Fail(absl::StatusCode::kInvalidArgument, "num_attention_heads",
              "does not divide hidden_size");
  }
  if (json.Int("num_channels", 3) != 3) {
    json.Fail(absl::StatusCode::kUnimplemented, "num_channels", "is not 3");
  }
  if (!json.status().ok()) return json.status();
  if (!whole->status().ok()) return whole->status();
  return config;
}

ClipVisionEncoder::ClipVisionEncoder(const ClipVisionConfig& config,
                                     const Weights& weights)
    : config_(config),
      class_embedding_(weights["vision_model"]["embeddings"].Get(
          "class_embedding", {config.hidden_size})),
      position_embedding_(
          weights["vision_model"]["embeddings"]["position_embedding"].Get(
              "weight", {config.tokens(), config.hidden_size})),
      patch_embedding_(weights["vision_model"]["embeddings"]["patch_embedding"],
                       /*in=*/3, config.hidden_size,
                       {.kernel = config.patch_size,
                        .stride = config.patch_size,
                        .padding = 0},
                       /*has_bias=*/false),
      // Misspelt in every published file.
      pre_layer_norm_(weights["vision_model"]["pre_layrnorm"],
                      config.hidden_size, config.layer_norm_eps),
      post_layer_norm_(weights["vision_model"]["post_layernorm"],
                       config.hidden_size, config.layer_norm_eps) {
  const ClipLayer::Config layer = {
      .hidden_size = config.hidden_size,
      .intermediate_size = config.intermediate_size,
      .num_attention_heads = config.num_attention_heads,
      .layer_norm_eps = config.layer_norm_eps,
      .hidden_act = config.hidden_act};
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.emplace_back(layer,
                         weights["vision_model"]["encoder"].At("layers", i));
  }
  if (weights["visual_projection"].Has("weight")) {
    visual_projection_.emplace(weights["visual_projection"], config.hidden_size,
                               config.projection_dim, /*has_bias=*/false);
  }
}

at::Tensor ClipVisionEncoder::Embed(const at::Tensor& pixels) const {
  const at::Tensor patches =
      patch_embedding_.forward(pixels.to(position_embedding_.options()))
          .flatten(2)
          .transpose(1, 2);  // [1, L - 1, D]
  return at::cat({class_embedding_.view({1, 1, -1}), patches}, 1) +
         position_embedding_;
}

ClipVisionStates ClipVisionEncoder::EncodeOne(const at::Tensor& pixels) const {
  at::Tensor x = pre_layer_norm_.forward(Embed(pixels));
  ClipVisionStates states;
  for (const ClipLayer& layer : layers_) {
    states.penultimate = x;
    x = layer.ForwardPicture(x);
  }
  states.pooled = post_layer_norm_.forward(x.select(1, 0));  // [1, D]
  states.embedding = visual_projection_.has_value()
                         ? visual_projection_->forward(states.pooled)
                         : states.pooled;
  return states;
}

ClipVisionStates ClipVisionEncoder::forward(const at::Tensor& pixels) const {
  // One by one, as a text's end token: the order of additions in a product
  // depends on how many rows there are.
  std::vector<at::Tensor> penultimate, pooled, embedding;
  for (int64_t i = 0; i < pixels.size(0); ++i) {
    ClipVisionStates one = EncodeOne(pixels.narrow(0, i, 1));
    penultimate.push_back(std::move(one.penultimate));
    pooled.push_back(std::move(one.pooled));
    embedding.push_back(std::move(one.embedding));
  }
  return {.penultimate = at::cat(penultimate),
          .pooled = at::cat(pooled),
          .embedding = at::cat(embedding)};
}

}  // namespace genzo
