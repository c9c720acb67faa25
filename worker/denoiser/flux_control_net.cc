#include "worker/denoiser/flux_control_net.h"

#include "ATen/TensorOperators.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/silu.h"
#include "absl/strings/str_cat.h"
#include "c10/core/InferenceMode.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr char kNetwork[] = "this FLUX ControlNet";
constexpr TimestepProjection kTimeProjection = {.dim = 256};
constexpr int64_t kPack = 2;  // places of a latent that are packed, each way
// Of the convolutions that make a picture as small as a latent.
const std::vector<int64_t>& HintChannels() {
  static const auto* const channels = new std::vector<int64_t>{16, 16, 16, 16};
  return *channels;
}

}  // namespace

absl::StatusOr<FluxControlNetConfig> ReadFluxControlNetConfig(
    const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  FluxControlNetConfig config;
  json->RequireString("_class_name", "FluxControlNetModel");
  json->RequireUnset("num_mode");
  config.hint_channels =
      json->Int("conditioning_embedding_channels", 0, 0, 4096);
  if (!json->status().ok()) return json->status();
  auto transformer = ReadFluxConfig(file);
  if (!transformer.ok()) return transformer.status();
  config.transformer = *std::move(transformer);
  if (config.hint_channels != 0 &&
      config.hint_channels * kPack * kPack != config.transformer.in_channels) {
    return absl::InvalidArgumentError(absl::StrCat(
        file.path(), ": conditioning_embedding_channels ", config.hint_channels,
        " is not a quarter of in_channels ", config.transformer.in_channels));
  }
  return config;
}

FluxControlNet::FluxControlNet(const FluxControlNetConfig& config,
                               const Weights& weights)
    : config_(config),
      x_embedder_(weights["x_embedder"], config.transformer.in_channels,
                  config.transformer.width()),
      controlnet_x_embedder_(weights["controlnet_x_embedder"],
                             config.transformer.in_channels,
                             config.transformer.width()),
      timestep_embedder_(weights["time_text_embed"]["timestep_embedder"],
                         kTimeProjection.dim, config.transformer.width()),
      text_embedder_(weights["time_text_embed"]["text_embedder"],
                     config.transformer.pooled_projection_dim,
                     config.transformer.width()),
      context_embedder_(weights["context_embedder"],
                        config.transformer.joint_attention_dim,
                        config.transformer.width()),
      times_(x_embedder_.bias.device(), [this](const at::Tensor& timesteps) {
        // To [0, 1] and back, as the reference does.
        return Embed(timestep_embedder_, timesteps / 1000 * 1000);
      }) {
  const FluxConfig& own = config.transformer;
  const int64_t width = own.width();
  if (own.guidance_embeds) {
    guidance_embedder_.emplace(weights["time_text_embed"]["guidance_embedder"],
                               kTimeProjection.dim, width);
  }
  if (config.hint_channels > 0) {
    input_hint_block_.emplace(weights["input_hint_block"], /*in=*/3,
                              HintChannels(), config.hint_channels);
  }
  for (int64_t i = 0; i < own.num_layers; ++i) {
    transformer_blocks_.emplace_back(weights.At("transformer_blocks", i), own);
    controlnet_blocks_.emplace_back(weights.At("controlnet_blocks", i), width,
                                    width);
  }
  for (int64_t i = 0; i < own.num_single_layers; ++i) {
    single_transformer_blocks_.emplace_back(
        weights.At("single_transformer_blocks", i), own);
    controlnet_single_blocks_.emplace_back(
        weights.At("controlnet_single_blocks", i), width, width);
  }
}

Placement FluxControlNet::placement() const {
  return {.device = x_embedder_.bias.device(),
          .dtype = x_embedder_.bias.scalar_type()};
}

at::Tensor FluxControlNet::Embed(const TimestepEmbedding& embedder,
                                 const at::Tensor& values) const {
  return embedder.forward(
      ProjectTimesteps(values, kTimeProjection).to(placement().dtype));
}

at::Tensor FluxControlNet::EmbedHint(const at::Tensor& hint) const {
  at::Tensor placed = hint.to(placement().device, placement().dtype);
  if (input_hint_block_.has_value()) {
    placed = input_hint_block_->forward(placed * 2 - 1);
  }
  return controlnet_x_embedder_.forward(Patchify(placed, kPack));
}

absl::StatusOr<PreparedRef> FluxControlNet::Prepare(
    const Conditioning& conditioning) const {
  c10::InferenceMode inference;
  // The guidance that its denoiser embeds is no use to one that does not.
  Conditioning taken = conditioning;
  if (!guidance_embedder_.has_value()) taken.numbers = at::Tensor();
  std::vector<std::string> known = {"tokens", "pooled", "image"};
  if (guidance_embedder_.has_value()) known.emplace_back("numbers");
  const absl::Status takes = CheckConditioning(taken, known, kNetwork);
  if (!takes.ok()) return takes;
  const int64_t rows = taken.tokens.size(0);
  const int64_t channels =
      input_hint_block_.has_value()
          ? 3
          : config_.transformer.in_channels / kPack / kPack;
  if (taken.image.dim() != 4 || taken.image.size(1) != channels) {
    return absl::InvalidArgumentError(
        absl::StrCat("conditioning image: ", kNetwork, " needs a hint [1, ",
                     channels, ", height, width]"));
  }
  at::Tensor vector = text_embedder_.forward(taken.pooled);
  if (guidance_embedder_.has_value()) {
    vector =
        vector + Embed(*guidance_embedder_, taken.numbers.select(1, 0) * 1000);
  }
  const at::Tensor hint = EmbedHint(taken.image);
  auto prepared = std::make_shared<Prepared>();
  prepared->rows = rows;
  prepared->tensors = {context_embedder_.forward(taken.tokens), vector,
                       hint.expand({rows, hint.size(1), hint.size(2)})};
  return prepared;
}

ControlResiduals FluxControlNet::Forward(const at::Tensor& sample,
                                         const at::Tensor& times,
                                         const Prepared& prepared) const {
  const int64_t h = sample.size(2) / kPack;
  const int64_t w = sample.size(3) / kPack;
  const EvalContext& none = NoAdapters();
  FluxTransformer::Streams streams = {
      .x = x_embedder_.forward(Patchify(sample, kPack)) + prepared.tensors[2],
      .text = prepared.tensors[0]};
  const at::Tensor vector = at::silu(times + prepared.tensors[1]);
  const int64_t texts = streams.text.size(1);
  const int64_t grid[] = {1, h, w};
  const Rotation rotation = RotationAt(
      texts, grid, config_.transformer.axes_dims_rope, placement().device);
  ControlResiduals residuals;
  residuals.repeat = input_hint_block_.has_value();
  for (size_t i = 0; i < transformer_blocks_.size(); ++i) {
    transformer_blocks_[i].forward(streams, vector, rotation, none);
    residuals.early.push_back(controlnet_blocks_[i].forward(streams.x));
  }
  if (single_transformer_blocks_.empty()) return residuals;
  at::Tensor x = at::cat({streams.text, streams.x}, 1);  // [B, L + N, width]
  for (size_t i = 0; i < single_transformer_blocks_.size(); ++i) {
    x = single_transformer_blocks_[i].forward(x, vector, rotation, none);
    residuals.late.push_back(controlnet_single_blocks_[i].forward(
        x.narrow(1, texts, h * w).contiguous()));
  }
  return residuals;
}

}  // namespace genzo
