#include "worker/codec/autoencoder_tiny.h"

#include "ATen/ops/tanh.h"
#include "ATen/ops/upsample_nearest2d.h"
#include "absl/strings/str_cat.h"
#include "worker/weights/json_config.h"

namespace genzo {

absl::StatusOr<AutoencoderTinyConfig> ReadAutoencoderTinyConfig(
    const TextFile& file) {
  auto json = JsonConfig::ReadFile(file);
  if (!json.ok()) return json.status();
  AutoencoderTinyConfig config;
  json->RequireString("act_fn", "relu");
  json->RequireString("upsample_fn", "nearest");
  if (json->Int("upsampling_scaling_factor", 2) != 2 ||
      json->Int("out_channels", 3) != 3) {
    json->Fail(absl::StatusCode::kUnimplemented, "upsampling_scaling_factor",
               "is not 2, or out_channels not 3");
  }
  config.latent_channels =
      json->Int("latent_channels", config.latent_channels, 1);
  config.decoder_block_out_channels = json->Ints(
      "decoder_block_out_channels", config.decoder_block_out_channels);
  config.num_decoder_blocks =
      json->Ints("num_decoder_blocks", config.num_decoder_blocks, /*min=*/0,
                 JsonConfig::kMaxLayers);
  config.scaling_factor =
      json->Number("scaling_factor", 1, /*min=*/1e-6, /*max=*/1e6);
  if (json->Number("shift_factor", 0) != 0) {
    json->Fail(absl::StatusCode::kUnimplemented, "shift_factor", "is not 0");
  }
  const size_t levels = config.decoder_block_out_channels.size();
  if (levels == 0 || config.num_decoder_blocks.size() != levels) {
    json->Fail(absl::StatusCode::kInvalidArgument, "num_decoder_blocks",
               "differs in length from decoder_block_out_channels");
  }
  constexpr size_t kMostLevels = 8;  // each halves the sides
  if (levels > kMostLevels) {
    json->Fail(
        absl::StatusCode::kInvalidArgument, "decoder_block_out_channels",
        absl::StrCat("has ", levels, " levels; the limit is ", kMostLevels));
  }
  for (int64_t channels : config.decoder_block_out_channels) {
    if (channels == config.decoder_block_out_channels[0]) continue;
    // The reference has no layer between levels of different widths either.
    json->Fail(absl::StatusCode::kInvalidArgument, "decoder_block_out_channels",
               "are not all equal, as the decoder needs");
  }
  if (!json->status().ok()) return json->status();
  return config;
}

AutoencoderTiny::Block::Block(const Weights& weights, int64_t channels)
    : conv_0(weights.At("conv", 0), channels, channels),
      conv_2(weights.At("conv", 2), channels, channels),
      conv_4(weights.At("conv", 4), channels, channels) {}

at::Tensor AutoencoderTiny::Block::forward(const at::Tensor& x) const {
  const at::Tensor h = conv_2.forward_relu(conv_0.forward_relu(x));
  return conv_4.forward_add(h, x).relu_();
}

AutoencoderTiny::AutoencoderTiny(const AutoencoderTinyConfig& config,
                                 const Weights& weights)
    : config_(config),
      conv_in_(weights["decoder"].At("layers", 0), config.latent_channels,
               config.decoder_block_out_channels[0]) {
  weights["encoder"].LeaveOut();
  const Weights decoder = weights["decoder"];
  const size_t count = config.decoder_block_out_channels.size();
  int64_t layer = 2;  // behind the first convolution and its activation
  for (size_t i = 0; i < count; ++i) {
    const int64_t channels = config.decoder_block_out_channels[i];
    const bool last = i + 1 == count;
    Level& level = levels_.emplace_back();
    for (int64_t j = 0; j < config.num_decoder_blocks[i]; ++j) {
      level.blocks.emplace_back(decoder.At("layers", layer++), channels);
    }
    if (!last) ++layer;  // the upsampling has no weights
    level.conv.emplace(decoder.At("layers", layer++), channels,
                       last ? 3 : channels, ConvGeometry(),
                       /*has_bias=*/last);
  }
}

at::Tensor AutoencoderTiny::decode(const at::Tensor& latents) const {
  at::Tensor x = (latents / config_.scaling_factor)
                     .contiguous(at::MemoryFormat::ChannelsLast);
  x = conv_in_.forward_relu(at::tanh(x / 3) * 3);  // far latents are bounded
  for (const Level& level : levels_) {
    for (const Block& block : level.blocks) x = block.forward(x);
    if (&level != &levels_.back()) {
      x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
    }
    x = level.conv->forward(x);
  }
  return x * 2 - 1;
}

}  // namespace genzo
