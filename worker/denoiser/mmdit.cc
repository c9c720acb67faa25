#include "worker/denoiser/mmdit.h"

#include "ATen/ops/silu.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "c10/util/Exception.h"
#include "worker/nn/attention.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kNetwork[] = "this MMDiT";
constexpr TimestepProjection kTimeProjection = {.dim = 256};
constexpr int64_t kFeedForwardRatio = 4;

}  // namespace

absl::StatusOr<MmditConfig> ReadMmditConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  MmditConfig config;
  const auto size = [&](const char* key, int64_t& value) {
    value = json->Int(key, value, /*min=*/1);
  };
  size("in_channels", config.in_channels);
  config.out_channels = json->Int("out_channels", config.in_channels, 1);
  size("sample_size", config.sample_size);
  config.patch_size = json->Int("patch_size", config.patch_size, 1, 64);
  config.num_layers =
      json->Int("num_layers", config.num_layers, 1, JsonConfig::kMaxLayers);
  size("joint_attention_dim", config.joint_attention_dim);
  size("pooled_projection_dim", config.pooled_projection_dim);
  config.pos_embed_max_size =
      json->Int("pos_embed_max_size", config.pos_embed_max_size, 1, 4096);
  config.heads.heads = json->Int("num_attention_heads", 18, 1, 1024);
  config.heads.head_dim = json->Int("attention_head_dim", 64, 1, 4096);
  config.heads.width = config.heads.inner();
  config.heads.qk_norm = json->Has("qk_norm");
  json->RequireString("qk_norm", "rms_norm");
  if (json->Int("caption_projection_dim", 1152, 1) != config.width()) {
    json->Fail(absl::StatusCode::kInvalidArgument, "caption_projection_dim",
               absl::StrCat("is not num_attention_heads times "
                            "attention_head_dim, ",
                            config.width()));
  }
  const auto& object = json->object();
  const auto dual = object.find("dual_attention_layers");
  const bool has_dual = dual != object.end() && !dual->empty();
  if (has_dual) {
    const auto layers = json->Ints("dual_attention_layers", {}, /*min=*/0,
                                   /*max=*/config.num_layers - 1);
    config.dual_attention_layers = {layers.begin(), layers.end()};
  }
  if (!json->status().ok()) return json->status();
  return config;
}

Mmdit::Block::Block(const Weights& weights, const MmditConfig& config,
                    bool dual, bool last)
    : name(weights.path()),
      heads(config.heads.heads),
      last(last),
      norm1(weights["norm1"], config.width(), dual ? 9 : 6),
      norm1_context(weights["norm1_context"], config.width(), last ? 2 : 6),
      image(weights["attn"], kImageStream, config.heads),
      text(weights["attn"], kTextStream, config.heads),
      to_out(weights["attn"].At("to_out", 0), config.width(), config.width()),
      ff(weights["ff"], config.width(), kFeedForwardRatio * config.width()) {
  if (dual) {
    image2.emplace(weights["attn2"], kImageStream, config.heads);
    to_out2.emplace(weights["attn2"].At("to_out", 0), config.width(),
                    config.width());
  }
  if (last) return;
  to_add_out.emplace(weights["attn"]["to_add_out"], config.width(),
                     config.width());
  ff_context.emplace(weights["ff_context"], config.width(),
                     kFeedForwardRatio * config.width());
}

at::Tensor Mmdit::Block::Attend(const QueryKeyValue& all, int64_t places,
                                const RowEdits& edits) const {
  const at::Tensor attended = MultiHeadAttention(all.q, all.k, all.v, heads);
  for (const int64_t row : IdleRows(edits, attention())) {
    const QueryKeyValue own = {.q = all.q.narrow(0, row, 1),
                               .k = all.k.narrow(0, row, 1),
                               .v = all.v.narrow(0, row, 1)};
    attended.narrow(0, row, 1)
        .narrow(1, 0, places)
        .copy_(AttendAlone(own, heads, places));
  }
  return attended;
}

at::Tensor Mmdit::Block::AttendAgain(const at::Tensor& x,
                                     const Prepared& prepared) const {
  const QueryKeyValue own = image2->forward(x, prepared.adapters);
  const at::Tensor attended = MultiHeadAttention(own.q, own.k, own.v, heads);
  CopyRows(IdleRows(prepared.edits, second_attention()), own.v, attended);
  return attended;
}

void Mmdit::Block::forward(Streams& streams, const at::Tensor& vector,
                           const Prepared& prepared) const {
  const EvalContext& adapters = prepared.adapters;
  auto& [x, text_tokens] = streams;
  // shift, scale, gate of attention, then of the feed-forward layers, then of
  // the second attention; the last block's text has scale and shift.
  const auto of_x = norm1.forward(vector, adapters);
  const auto of_text = norm1_context.forward(vector, adapters);
  const at::Tensor normed_text =
      last ? NormModulated(text_tokens, of_text[0], of_text[1])
           : NormModulated(text_tokens, of_text[1], of_text[0]);
  const QueryKeyValue all =
      Join(image.forward(NormModulated(x, of_x[1], of_x[0]), adapters),
           text.forward(normed_text, adapters));
  const at::Tensor attended = Attend(all, x.size(1), prepared.edits);
  const at::Tensor before = x;
  x = AddGated(x, of_x[2],
               to_out.forward(attended.narrow(1, 0, x.size(1)), adapters));
  if (image2.has_value()) {
    const at::Tensor again =
        AttendAgain(NormModulated(before, of_x[7], of_x[6]), prepared);
    x = AddGated(x, of_x[8], to_out2->forward(again, adapters));
  }
  x = AddGated(x, of_x[5],
               ff.forward(NormModulated(x, of_x[4], of_x[3]), adapters));
  if (last) return;
  text_tokens = AddGated(
      text_tokens, of_text[2],
      to_add_out->forward(attended.narrow(1, x.size(1), text_tokens.size(1)),
                          adapters));
  text_tokens = AddGated(
      text_tokens, of_text[5],
      ff_context->forward(NormModulated(text_tokens, of_text[4], of_text[3]),
                          adapters));
}

Mmdit::Mmdit(const MmditConfig& config, const Weights& weights)
    : config_(config),
      patch_embedding_(PatchEmbedding(weights["pos_embed"]["proj"],
                                      config.in_channels, config.patch_size,
                                      config.width())),
      pos_embed_(weights["pos_embed"].Get(
          "pos_embed",
          {1, config.pos_embed_max_size * config.pos_embed_max_size,
           config.width()})),
      timestep_embedder_(weights["time_text_embed"]["timestep_embedder"],
                         kTimeProjection.dim, config.width()),
      text_embedder_(weights["time_text_embed"]["text_embedder"],
                     config.pooled_projection_dim, config.width()),
      context_embedder_(weights["context_embedder"], config.joint_attention_dim,
                        config.width()),
      output_(weights, config.width(),
              config.patch_size * config.patch_size * config.out_channels),
      times_(pos_embed_.device(), [this](const at::Tensor& timesteps) {
        return EmbedWithSines(
            timestep_embedder_,
            ProjectTimesteps(timesteps, kTimeProjection).to(placement().dtype));
      }) {
  for (int64_t i = 0; i < config.num_layers; ++i) {
    transformer_blocks_.emplace_back(
        weights.At("transformer_blocks", i), config,
        /*dual=*/config.dual_attention_layers.count(i) > 0,
        /*last=*/i + 1 == config.num_layers);
  }
}

Placement Mmdit::placement() const {
  return {.device = pos_embed_.device(), .dtype = pos_embed_.scalar_type()};
}

std::vector<std::string> Mmdit::IdleLayers() const {
  std::vector<std::string> names;
  for (const Block& block : transformer_blocks_) names.push_back(block.name);
  return names;
}

std::vector<std::string> Mmdit::SelfAttentions() const {
  std::vector<std::string> names;
  for (const Block& block : transformer_blocks_) {
    names.push_back(block.attention());
    if (block.image2.has_value()) names.push_back(block.second_attention());
  }
  return names;
}

absl::StatusOr<PreparedRef> Mmdit::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  const absl::Status known =
      CheckConditioning(conditioning, {"tokens", "pooled"}, kNetwork);
  if (!known.ok()) return known;
  const at::Tensor& tokens = conditioning.tokens;
  const at::Tensor& pooled = conditioning.pooled;
  if (tokens.dim() != 3 || tokens.size(2) != config_.joint_attention_dim) {
    return absl::InvalidArgumentError(absl::StrCat(
        "conditioning tokens: ", kNetwork, " needs [rows, tokens, ",
        config_.joint_attention_dim, "]"));
  }
  if (pooled.dim() != 2 || pooled.size(0) != tokens.size(0) ||
      pooled.size(1) != config_.pooled_projection_dim) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning pooled: ", kNetwork, " needs [rows, ",
                     config_.pooled_projection_dim, "]"));
  }
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = tokens.size(0);
  prepared->adapters = AdaptersOf(conditioning, prepared->rows);
  prepared->tensors = {context_embedder_.forward(tokens, prepared->adapters),
                       text_embedder_.forward(pooled, prepared->adapters)};
  return prepared;
}

at::Tensor Mmdit::Positions(int64_t h, int64_t w) const {
  const int64_t side = config_.pos_embed_max_size;
  TORCH_CHECK(h <= side && w <= side, "a sample of ", h, " x ", w,
              " patches; at most ", side, " each way");
  return pos_embed_.unflatten(1, {side, side})
      .narrow(1, (side - h) / 2, h)
      .narrow(2, (side - w) / 2, w)
      .flatten(1, 2);
}

at::Tensor Mmdit::Forward(const at::Tensor& sample, const at::Tensor& times,
                          const Prepared& prepared) const {
  const int64_t h = sample.size(2) / config_.patch_size;
  const int64_t w = sample.size(3) / config_.patch_size;
  const at::Tensor vector =
      at::silu(EmbeddedTimes(timestep_embedder_, times, prepared.adapters) +
               prepared.tensors[1]);
  Streams streams = {
      .x = patch_embedding_.forward(Patchify(sample, config_.patch_size),
                                    prepared.adapters) +
           Positions(h, w),          // [B, h w, width]
      .text = prepared.tensors[0]};  // [B, L, width]
  for (const Block& block : transformer_blocks_) {
    const Streams before = streams;
    block.forward(streams, vector, prepared);
    if (prepared.edits.empty()) continue;
    const std::vector<int64_t> idle = IdleRows(prepared.edits, block.name);
    CopyRows(idle, before.x, streams.x);
    CopyRows(idle, before.text, streams.text);
  }
  return Unpatchify(output_.forward(streams.x, vector, prepared.adapters),
                    {h, w}, config_.patch_size, /*channels_last=*/true);
}

}  // namespace genzo
