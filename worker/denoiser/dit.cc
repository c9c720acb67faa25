#include "worker/denoiser/dit.h"

#include <algorithm>

#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/cos.h"
#include "ATen/ops/embedding.h"
#include "ATen/ops/pow.h"
#include "ATen/ops/silu.h"
#include "ATen/ops/sin.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kNetwork[] = "this DiT";
constexpr TimestepProjection kTimeProjection = {
    .dim = 256, .flip_sin_to_cos = true, .freq_shift = 1};
constexpr int64_t kFeedForwardRatio = 4;

// Sines, then cosines, of positions [n] float64 -> [n, width].
at::Tensor Sines(const at::Tensor& positions, int64_t width) {
  const int64_t half = width / 2;
  const at::Tensor frequencies =
      at::pow(10000.0, at::arange(half, positions.options()) /
                           -static_cast<double>(half));
  const at::Tensor angles = positions.unsqueeze(1) * frequencies;
  return at::cat({at::sin(angles), at::cos(angles)}, 1);
}

}  // namespace

absl::StatusOr<DitConfig> ReadDitConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  DitConfig config;
  json->RequireString("norm_type", "ada_norm_zero");
  json->RequireString("activation_fn", "gelu-approximate");
  for (const char* key :
       {"norm_elementwise_affine", "double_self_attention", "upcast_attention",
        "only_cross_attention", "num_vector_embeds", "cross_attention_dim"}) {
    json->RequireUnset(key);
  }
  config.in_channels = json->Int("in_channels", config.in_channels, 1);
  config.out_channels = json->Int("out_channels", config.in_channels, 1);
  config.sample_size = json->Int("sample_size", config.sample_size, 1);
  config.patch_size = json->Int("patch_size", config.patch_size, 1, 64);
  config.num_layers =
      json->Int("num_layers", config.num_layers, 1, JsonConfig::kMaxLayers);
  config.classes = json->Int("num_embeds_ada_norm", config.classes, 1);
  config.norm_eps = json->Number("norm_eps", 1e-5, /*min=*/0, /*max=*/1);
  config.heads = {.heads = json->Int("num_attention_heads", 16, 1, 1024),
                  .head_dim = json->Int("attention_head_dim", 72, 1, 4096)};
  config.heads.width = config.heads.inner();
  if (!json->Bool("attention_bias", true)) {
    json->Fail(absl::StatusCode::kUnimplemented, "attention_bias",
               "is not true");
  }
  if (config.out_channels != config.in_channels &&
      config.out_channels != 2 * config.in_channels) {
    json->Fail(absl::StatusCode::kInvalidArgument, "out_channels",
               absl::StrCat("is neither in_channels ", config.in_channels,
                            " nor twice that"));
  }
  if (config.width() % 4 != 0) {
    json->Fail(absl::StatusCode::kInvalidArgument, "attention_head_dim",
               "times num_attention_heads is not a multiple of 4");
  }
  if (!json->status().ok()) return json->status();
  return config;
}

Dit::Block::Block(const Weights& weights, const DitConfig& config)
    : heads(config.heads.heads),
      norm_eps(config.norm_eps),
      timestep_embedder(weights["norm1"]["emb"]["timestep_embedder"],
                        kTimeProjection.dim, config.width()),
      embedding_table(
          weights["norm1"]["emb"]["class_embedder"]["embedding_table"].Get(
              "weight", {config.classes + 1, config.width()})),
      norm1(weights["norm1"], config.width(), /*parts=*/6),
      attn1(weights["attn1"], kImageStream, config.heads),
      to_out(weights["attn1"].At("to_out", 0), config.width(), config.width()),
      ff(weights["ff"], config.width(), kFeedForwardRatio * config.width()) {}

at::Tensor Dit::Block::forward(at::Tensor x, const at::Tensor& vector,
                               const EvalContext& adapters) const {
  // shift, scale, gate of attention, then of the feed-forward layers.
  const auto factors = norm1.forward(vector, adapters);
  const QueryKeyValue own =
      attn1.forward(NormModulated(x, factors[1], factors[0]), adapters);
  x = AddGated(
      x, factors[2],
      to_out.forward(MultiHeadAttention(own.q, own.k, own.v, heads), adapters));
  return AddGated(
      x, factors[5],
      ff.forward(NormModulated(x, factors[4], factors[3], norm_eps), adapters));
}

Dit::Dit(const DitConfig& config, const Weights& weights)
    : config_(config),
      patch_embedding_(PatchEmbedding(weights["pos_embed"]["proj"],
                                      config.in_channels, config.patch_size,
                                      config.width())),
      proj_out_1_(weights["proj_out_1"], config.width(), 2 * config.width()),
      proj_out_2_(weights["proj_out_2"], config.width(),
                  config.patch_size * config.patch_size * config.out_channels),
      times_(proj_out_1_.bias.device(), [this](const at::Tensor& timesteps) {
        const at::Tensor sines =
            ProjectTimesteps(timesteps, kTimeProjection).to(placement().dtype);
        std::vector<at::Tensor> embedded;
        for (const Block& block : transformer_blocks_) {
          embedded.push_back(block.timestep_embedder.forward(sines));
        }
        return at::cat(embedded, 1);  // [1, num_layers * width]
      }) {
  for (int64_t i = 0; i < config.num_layers; ++i) {
    transformer_blocks_.emplace_back(weights.At("transformer_blocks", i),
                                     config);
  }
}

Placement Dit::placement() const {
  return {.device = proj_out_1_.bias.device(),
          .dtype = proj_out_1_.bias.scalar_type()};
}

absl::StatusOr<PreparedRef> Dit::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  const absl::Status known =
      CheckConditioning(conditioning, {"numbers"}, kNetwork);
  if (!known.ok()) return known;
  const at::Tensor& numbers = conditioning.numbers;
  if (numbers.dim() != 2 || numbers.size(1) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        "conditioning numbers: ", kNetwork, " needs [rows, 1], the class"));
  }
  const at::Tensor classes = numbers.select(1, 0).to(at::kLong);
  if ((classes < 0).logical_or(classes > config_.classes).any().item<bool>()) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning numbers: a class is not between 0 and ",
                     config_.classes));
  }
  std::vector<at::Tensor> embedded;
  for (const Block& block : transformer_blocks_) {
    embedded.push_back(at::embedding(block.embedding_table, classes));
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = numbers.size(0);
  prepared->adapters = AdaptersOf(conditioning, prepared->rows);
  prepared->tensors = {at::cat(embedded, 1)};
  return prepared;
}

at::Tensor Dit::Positions(int64_t h, int64_t w) const {
  const auto options = at::TensorOptions(placement().device).dtype(at::kDouble);
  const double trained =
      static_cast<double>(config_.sample_size / config_.patch_size);
  const double interpolation =
      static_cast<double>(std::max<int64_t>(config_.sample_size / 64, 1));
  const auto sines = [&](int64_t count) {
    const at::Tensor places = at::arange(count, options) /
                              (static_cast<double>(count) / trained) /
                              interpolation;
    return Sines(places, config_.width() / 2);
  };
  // The column first.
  return at::cat({sines(w).unsqueeze(0).expand({h, -1, -1}),
                  sines(h).unsqueeze(1).expand({-1, w, -1})},
                 2)
      .flatten(0, 1)
      .unsqueeze(0)
      .to(placement().dtype);
}

at::Tensor Dit::Forward(const at::Tensor& sample, const at::Tensor& times,
                        const Prepared& prepared) const {
  const int64_t h = sample.size(2) / config_.patch_size;
  const int64_t w = sample.size(3) / config_.patch_size;
  const EvalContext& adapters = prepared.adapters;
  const auto vectors = at::silu(times + prepared.tensors[0])
                           .chunk(config_.num_layers, 1);  // [B, width] each
  at::Tensor x =
      patch_embedding_.forward(Patchify(sample, config_.patch_size)) +
      Positions(h, w);  // [B, h w, width]
  for (size_t i = 0; i < transformer_blocks_.size(); ++i) {
    x = transformer_blocks_[i].forward(x, vectors[i], adapters);
  }
  // The first layer's vector serves the end too.
  const auto factors = proj_out_1_.forward(vectors[0], adapters).chunk(2, 1);
  x = proj_out_2_.forward(NormModulated(x, factors[1], factors[0]), adapters);
  return Unpatchify(x, {h, w}, config_.patch_size, /*channels_last=*/true)
      .narrow(1, 0, config_.in_channels);
}

}  // namespace genzo
