#include "worker/denoiser/flux_transformer.h"

#include <numeric>

#include "ATen/ops/cat.h"
#include "ATen/ops/gelu.h"
#include "ATen/ops/silu.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kNetwork[] = "this FLUX network";
constexpr TimestepProjection kTimeProjection = {.dim = 256};
constexpr int64_t kFeedForwardRatio = 4;
constexpr int64_t kPack = 2;  // places of a latent that are packed, each way

}  // namespace

absl::StatusOr<FluxConfig> ReadFluxConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  FluxConfig config;
  if (json->Int("patch_size", 1) != 1) {
    json->Fail(absl::StatusCode::kUnimplemented, "patch_size", "is not 1");
  }
  config.in_channels = json->Int("in_channels", config.in_channels, 4);
  config.out_channels = json->Int("out_channels", config.in_channels, 4);
  config.num_layers =
      json->Int("num_layers", config.num_layers, 0, JsonConfig::kMaxLayers);
  config.num_single_layers = json->Int(
      "num_single_layers", config.num_single_layers, 0, JsonConfig::kMaxLayers);
  config.joint_attention_dim =
      json->Int("joint_attention_dim", config.joint_attention_dim, 1);
  config.pooled_projection_dim =
      json->Int("pooled_projection_dim", config.pooled_projection_dim, 1);
  config.guidance_embeds = json->Bool("guidance_embeds", false);
  config.axes_dims_rope =
      json->Ints("axes_dims_rope", config.axes_dims_rope, 2, 4096);
  config.heads = {.heads = json->Int("num_attention_heads", 24, 1, 1024),
                  .head_dim = json->Int("attention_head_dim", 128, 2, 4096),
                  .qk_norm = true};
  config.heads.width = config.heads.inner();
  if (config.in_channels % (kPack * kPack) != 0 ||
      config.out_channels % (kPack * kPack) != 0) {
    json->Fail(absl::StatusCode::kInvalidArgument, "in_channels",
               "or out_channels is not a multiple of 4");
  }
  const auto& axes = config.axes_dims_rope;
  const bool even = std::accumulate(axes.begin(), axes.end(), int64_t{0},
                                    [](int64_t odd, int64_t dim) {
                                      return odd + dim % 2;
                                    }) == 0;
  if (axes.size() != 3 || !even ||
      std::accumulate(axes.begin(), axes.end(), int64_t{0}) !=
          config.heads.head_dim) {
    json->Fail(absl::StatusCode::kInvalidArgument, "axes_dims_rope",
               absl::StrCat("is not three even numbers whose sum is "
                            "attention_head_dim ",
                            config.heads.head_dim));
  }
  if (!json->status().ok()) return json->status();
  return config;
}

std::string ControlFitOf(const FluxConfig& config) {
  return absl::StrCat("FLUX of width ", config.width(), ", text of ",
                      config.joint_attention_dim, " and ",
                      config.pooled_projection_dim, ", latent of ",
                      config.out_channels, ", packed");
}

FluxTransformer::Block::Block(const Weights& weights, const FluxConfig& config)
    : heads(config.heads.heads),
      norm1(weights["norm1"], config.width(), /*parts=*/6),
      norm1_context(weights["norm1_context"], config.width(), /*parts=*/6),
      image(weights["attn"], kImageStream, config.heads),
      text(weights["attn"], kTextStream, config.heads),
      to_out(weights["attn"].At("to_out", 0), config.width(), config.width()),
      to_add_out(weights["attn"]["to_add_out"], config.width(), config.width()),
      ff(weights["ff"], config.width(), kFeedForwardRatio * config.width()),
      ff_context(weights["ff_context"], config.width(),
                 kFeedForwardRatio * config.width()) {}

void FluxTransformer::Block::forward(Streams& streams, const at::Tensor& vector,
                                     const Rotation& rotation,
                                     const EvalContext& adapters) const {
  // shift, scale, gate of attention, then of the feed-forward layers.
  const auto of_x = norm1.forward(vector, adapters);
  const auto of_text = norm1_context.forward(vector, adapters);
  const QueryKeyValue all =
      Join(text.forward(NormModulated(streams.text, of_text[1], of_text[0]),
                        adapters),
           image.forward(NormModulated(streams.x, of_x[1], of_x[0]), adapters));
  const at::Tensor attended = MultiHeadAttention(
      Rotate(all.q, heads, rotation), Rotate(all.k, heads, rotation), all.v,
      heads);  // [B, L + N, width]
  const auto finish = [&](const at::Tensor& before, const at::Tensor& attention,
                          const std::vector<at::Tensor>& factors,
                          const FeedForward& feed_forward) {
    const at::Tensor x = AddGated(before, factors[2], attention);
    return AddGated(x, factors[5],
                    feed_forward.forward(
                        NormModulated(x, factors[4], factors[3]), adapters));
  };
  const int64_t texts = streams.text.size(1);
  streams.text = finish(
      streams.text, to_add_out.forward(attended.narrow(1, 0, texts), adapters),
      of_text, ff_context);
  streams.x = finish(
      streams.x,
      to_out.forward(attended.narrow(1, texts, streams.x.size(1)), adapters),
      of_x, ff);
}

FluxTransformer::SingleBlock::SingleBlock(const Weights& weights,
                                          const FluxConfig& config)
    : heads(config.heads.heads),
      norm(weights["norm"], config.width(), /*parts=*/3),
      attention(weights["attn"], kImageStream, config.heads),
      proj_mlp(weights["proj_mlp"], config.width(),
               kFeedForwardRatio * config.width()),
      proj_out(weights["proj_out"], (1 + kFeedForwardRatio) * config.width(),
               config.width()) {}

at::Tensor FluxTransformer::SingleBlock::forward(
    const at::Tensor& x, const at::Tensor& vector, const Rotation& rotation,
    const EvalContext& adapters) const {
  const auto factors = norm.forward(vector, adapters);  // shift, scale, gate
  const at::Tensor normed = NormModulated(x, factors[1], factors[0]);
  const QueryKeyValue own = attention.forward(normed, adapters);
  const at::Tensor attended =
      MultiHeadAttention(Rotate(own.q, heads, rotation),
                         Rotate(own.k, heads, rotation), own.v, heads);
  at::Tensor hidden = proj_mlp.forward(normed, adapters);
  return AddGated(
      x, factors[2],
      proj_out.forward(at::cat({attended, at::gelu_(hidden, "tanh")}, 2),
                       adapters));
}

FluxTransformer::FluxTransformer(const FluxConfig& config,
                                 const Weights& weights)
    : config_(config),
      x_embedder_(weights["x_embedder"], config.in_channels, config.width()),
      timestep_embedder_(weights["time_text_embed"]["timestep_embedder"],
                         kTimeProjection.dim, config.width()),
      text_embedder_(weights["time_text_embed"]["text_embedder"],
                     config.pooled_projection_dim, config.width()),
      context_embedder_(weights["context_embedder"], config.joint_attention_dim,
                        config.width()),
      output_(weights, config.width(), config.out_channels),
      times_(x_embedder_.bias.device(), [this](const at::Tensor& timesteps) {
        // To [0, 1] and back, as the reference does.
        return EmbedWithSines(timestep_embedder_,
                              SinesOf(timesteps / 1000 * 1000));
      }) {
  if (config.guidance_embeds) {
    guidance_embedder_.emplace(weights["time_text_embed"]["guidance_embedder"],
                               kTimeProjection.dim, config.width());
  }
  for (int64_t i = 0; i < config.num_layers; ++i) {
    transformer_blocks_.emplace_back(weights.At("transformer_blocks", i),
                                     config);
  }
  for (int64_t i = 0; i < config.num_single_layers; ++i) {
    single_transformer_blocks_.emplace_back(
        weights.At("single_transformer_blocks", i), config);
  }
}

Placement FluxTransformer::placement() const {
  return {.device = x_embedder_.bias.device(),
          .dtype = x_embedder_.bias.scalar_type()};
}

at::Tensor FluxTransformer::SinesOf(const at::Tensor& values) const {
  return ProjectTimesteps(values, kTimeProjection).to(placement().dtype);
}

absl::StatusOr<PreparedRef> FluxTransformer::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  std::vector<std::string> known = {"tokens", "pooled"};
  if (guidance_embedder_.has_value()) known.emplace_back("numbers");
  const absl::Status takes = CheckConditioning(conditioning, known, kNetwork);
  if (!takes.ok()) return takes;
  const at::Tensor& tokens = conditioning.tokens;
  const int64_t rows = tokens.size(0);
  const auto needs = [](const char* what, const std::string& shape) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning ", what, ": ", kNetwork, " needs ", shape));
  };
  if (tokens.dim() != 3 || tokens.size(2) != config_.joint_attention_dim) {
    return needs("tokens", absl::StrCat("[rows, tokens, ",
                                        config_.joint_attention_dim, "]"));
  }
  if (conditioning.pooled.sizes() !=
      at::IntArrayRef({rows, config_.pooled_projection_dim})) {
    return needs("pooled",
                 absl::StrCat("[rows, ", config_.pooled_projection_dim, "]"));
  }
  const EvalContext adapters = AdaptersOf(conditioning, rows);
  at::Tensor vector = text_embedder_.forward(conditioning.pooled, adapters);
  if (guidance_embedder_.has_value()) {
    if (conditioning.numbers.sizes() != at::IntArrayRef({rows, 1})) {
      return needs("numbers", "[rows, 1], the guidance");
    }
    vector = vector +
             guidance_embedder_->forward(
                 SinesOf(conditioning.numbers.select(1, 0) * 1000), adapters);
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = rows;
  prepared->adapters = adapters;
  prepared->tensors = {context_embedder_.forward(tokens, adapters), vector};
  return prepared;
}

Rotation FluxTransformer::RotationOf(int64_t text, int64_t h, int64_t w) const {
  // The first axis tells nothing of a single picture.
  const int64_t grid[] = {1, h, w};
  return RotationAt(text, grid, config_.axes_dims_rope, placement().device);
}

at::Tensor FluxTransformer::Forward(const at::Tensor& sample,
                                    const at::Tensor& times,
                                    const Prepared& prepared) const {
  const int64_t h = sample.size(2) / kPack;
  const int64_t w = sample.size(3) / kPack;
  const EvalContext& adapters = prepared.adapters;
  at::Tensor seen = sample;
  if (seen.size(1) * kPack * kPack < config_.in_channels) {
    const at::Tensor& beside = prepared.tensors.back();
    seen = at::cat(
        {seen, beside.expand({-1, -1, sample.size(2), sample.size(3)})}, 1);
  }
  Streams streams = {.x = x_embedder_.forward(Patchify(seen, kPack), adapters),
                     .text = prepared.tensors[0]};
  const at::Tensor vector = at::silu(
      EmbeddedTimes(timestep_embedder_, times, adapters) + prepared.tensors[1]);
  const int64_t texts = streams.text.size(1);
  const Rotation rotation = RotationOf(texts, h, w);
  const auto& controls = prepared.controls;
  for (size_t i = 0; i < transformer_blocks_.size(); ++i) {
    transformer_blocks_[i].forward(streams, vector, rotation, adapters);
    AddEarly(controls, i, transformer_blocks_.size(), streams.x);
  }
  at::Tensor x = at::cat({streams.text, streams.x}, 1);  // [B, L + N, width]
  for (size_t i = 0; i < single_transformer_blocks_.size(); ++i) {
    x = single_transformer_blocks_[i].forward(x, vector, rotation, adapters);
    AddLate(controls, i, single_transformer_blocks_.size(),
            x.narrow(1, texts, h * w));
  }
  return Unpatchify(
      output_.forward(x.narrow(1, texts, h * w), vector, adapters), {h, w},
      kPack, /*channels_last=*/false);
}

}  // namespace genzo
