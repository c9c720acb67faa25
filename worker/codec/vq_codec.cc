#include "worker/codec/vq_codec.h"

#include <string>
#include <utility>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/cdist.h"
#include "ATen/ops/embedding.h"
#include "ATen/ops/stack.h"
#include "ATen/ops/zeros_like.h"
#include "c10/core/InferenceMode.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

at::Tensor OnCpu(const at::Tensor& tensor) {
  return tensor.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace

absl::StatusOr<VqModelConfig> ReadVqModelConfig(const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  VqModelConfig config;
  json->RequireString("norm_type", "group");
  ReadAutoencoderSizes(*json, config.blocks);
  config.blocks.latent_channels = json->Int("latent_channels", 3, 1);
  config.codes = json->Int("num_vq_embeddings", 256, 1);
  config.code_width =
      json->Int("vq_embed_dim", config.blocks.latent_channels, 1);
  // Whether code numbers may stand for latents: the decoder is the same.
  json->Bool("lookup_from_codebook", false);
  if (!json->status().ok()) return json->status();
  return config;
}

VqCodec::VqCodec(const VqModelConfig& config, const Weights& weights,
                 const Placement& placement)
    : config_(config),
      placement_(placement),
      encoder_(weights["encoder"], config.blocks,
               config.blocks.latent_channels),
      quant_conv_(weights["quant_conv"], config.blocks.latent_channels,
                  config.code_width, kPointwise),
      codebook_(OnCpu(weights["quantize"]["embedding"].GetFloat(
          "weight", {config.codes, config.code_width}))),
      post_quant_conv_(weights["post_quant_conv"], config.code_width,
                       config.blocks.latent_channels, kPointwise),
      decoder_(weights["decoder"], config.blocks),
      weight_bytes_(weights.taken_bytes()) {}

absl::StatusOr<std::unique_ptr<const VqCodec>> VqCodec::Load(
    const ModelIndex& index, const std::string& name,
    const Placement& placement) {
  const auto files = index.Component(name, "VQModel");
  if (!files.ok()) return files.status();
  const auto config = ReadVqModelConfig(files->At("config.json"));
  if (!config.ok()) return config.status();
  Placement own = placement;
  if (config->blocks.force_upcast && own.dtype == at::kHalf) {
    own.dtype = at::kFloat;
  }
  const auto opened = OpenComponent(*files, ReadVqModelConfig, own);
  if (!opened.ok()) return opened.status();
  std::unique_ptr<VqCodec> codec(
      new VqCodec(opened->config, opened->weights, own));
  const absl::Status finished = opened->weights.Finish();
  if (!finished.ok()) return finished;
  codec->linear_ = LinearPreview::Fit(
      codec->latent_channels(),
      [&codec](const at::Tensor& latents) { return codec->Decode(latents); });
  return std::unique_ptr<const VqCodec>(std::move(codec));
}

LatentDistribution VqCodec::Encode(const at::Tensor& pixels) const {
  c10::InferenceMode inference;
  const at::Tensor x = pixels.to(placement_.device, placement_.dtype)
                           .contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor latents = OnCpu(quant_conv_.forward(encoder_.forward(x)));
  return {.mean = latents, .deviation = at::zeros_like(latents)};
}

at::Tensor VqCodec::Scale(const at::Tensor& encoded) const {
  return encoded * config_.blocks.scaling_factor;
}

at::Tensor VqCodec::NearestCodes(const at::Tensor& latents) const {
  std::vector<at::Tensor> rows;
  for (int64_t i = 0; i < latents.size(0); ++i) {
    const at::Tensor places = latents[i].permute({1, 2, 0});  // [h, w, C]
    rows.push_back(at::cdist(places.flatten(0, 1).contiguous(), codebook_)
                       .argmin(/*dim=*/1)
                       .unflatten(0, {places.size(0), places.size(1)}));
  }
  return at::stack(rows);
}

at::Tensor VqCodec::CodesAt(const at::Tensor& numbers) const {
  return at::embedding(codebook_, numbers).permute({0, 3, 1, 2});
}

at::Tensor VqCodec::Decode(const at::Tensor& latents) const {
  c10::InferenceMode inference;
  const at::Tensor codes =
      CodesAt(NearestCodes(latents / config_.blocks.scaling_factor));
  const at::Tensor z = codes.to(placement_.device, placement_.dtype)
                           .contiguous(at::MemoryFormat::ChannelsLast);
  return OnCpu(decoder_.forward(post_quant_conv_.forward(z)));
}

at::Tensor VqCodec::Preview(const at::Tensor& denoised,
                            PreviewKind kind) const {
  c10::InferenceMode inference;
  return kind == PreviewKind::kLinear ? linear_->decode(denoised)
                                      : Decode(denoised);
}

}  // namespace genzo
