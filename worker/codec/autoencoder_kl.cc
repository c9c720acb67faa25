#include "worker/codec/autoencoder_kl.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

constexpr double kNormEps = 1e-6;
constexpr ConvGeometry kPointwise = {.kernel = 1, .stride = 1, .padding = 0};

ResnetConfig VaeResnet(const AutoencoderKLConfig& config) {
  return {.norm_num_groups = config.norm_num_groups,
          .eps = kNormEps,
          .activation = config.activation};
}

// Checkpoints of the first Stable Diffusion repositories have older names.
RenameTable OldAttentionNames() {
  RenameTable table;
  for (const char* half : {"encoder", "decoder"}) {
    for (const auto& [old_name, name] :
         {std::pair("query", "to_q"), std::pair("key", "to_k"),
          std::pair("value", "to_v"), std::pair("proj_attn", "to_out.0")}) {
      for (const char* tensor : {"weight", "bias"}) {
        const std::string block =
            absl::StrCat(half, ".mid_block.attentions.0.");
        table[absl::StrCat(block, old_name, ".", tensor)] =
            absl::StrCat(block, name, ".", tensor);
      }
    }
  }
  return table;
}

const Weights& WithCurrentNames(const Weights& weights) {
  weights.Rename(OldAttentionNames());
  return weights;
}

}  // namespace

namespace autoencoder {

AttentionBlock::AttentionBlock(const Weights& weights,
                               const AutoencoderKLConfig& config)
    : group_norm(weights["group_norm"], config.norm_num_groups,
                 config.block_out_channels.back(), kNormEps),
      to_q(weights["to_q"], config.block_out_channels.back(),
           config.block_out_channels.back()),
      to_k(weights["to_k"], config.block_out_channels.back(),
           config.block_out_channels.back()),
      to_v(weights["to_v"], config.block_out_channels.back(),
           config.block_out_channels.back()),
      to_out(weights.At("to_out", 0), config.block_out_channels.back(),
             config.block_out_channels.back()) {}

at::Tensor AttentionBlock::forward(const at::Tensor& x) const {
  const auto to_sequence = [](const at::Tensor& t) {
    return t.permute({0, 2, 3, 1}).flatten(1, 2);  // [B, H W, C]
  };
  const at::Tensor h = to_sequence(group_norm.forward(x));
  return to_out
      .forward_add(MultiHeadAttention(to_q.forward(h), to_k.forward(h),
                                      to_v.forward(h), /*heads=*/1),
                   to_sequence(x))
      .unflatten(1, {x.size(2), x.size(3)})
      .permute({0, 3, 1, 2});
}

MidBlock::MidBlock(const Weights& weights, const AutoencoderKLConfig& config) {
  const int64_t channels = config.block_out_channels.back();
  for (int64_t i = 0; i < 2; ++i) {
    resnets.emplace_back(weights.At("resnets", i), channels, channels,
                         VaeResnet(config));
  }
  if (config.mid_block_add_attention) {
    attention.emplace(weights.At("attentions", 0), config);
  }
}

at::Tensor MidBlock::forward(at::Tensor x) const {
  x = resnets[0].forward(x, /*time=*/{});
  if (attention.has_value()) x = attention->forward(x);
  return resnets[1].forward(x, /*time=*/{});
}

at::Tensor Level::forward(at::Tensor x) const {
  for (const ResnetBlock2D& resnet : resnets) {
    x = resnet.forward(x, /*time=*/{});
  }
  if (downsampler.has_value()) x = downsampler->forward(x);
  if (upsampler.has_value()) {
    x = upsampler->forward(x, {2 * x.size(2), 2 * x.size(3)});
  }
  return x;
}

Encoder::Encoder(const Weights& weights, const AutoencoderKLConfig& config,
                 int64_t out_channels)
    : conv_in(weights["conv_in"], config.in_channels,
              config.block_out_channels.front()),
      mid_block(weights["mid_block"], config),
      conv_norm_out(weights["conv_norm_out"], config.norm_num_groups,
                    config.block_out_channels.back(), kNormEps),
      conv_out(weights["conv_out"], config.block_out_channels.back(),
               out_channels) {
  int64_t in = config.block_out_channels.front();
  for (size_t i = 0; i < config.block_out_channels.size(); ++i) {
    const Weights block = weights.At("down_blocks", i);
    const int64_t out = config.block_out_channels[i];
    Level& level = down_blocks.emplace_back();
    for (int64_t j = 0; j < config.layers_per_block; ++j) {
      level.resnets.emplace_back(block.At("resnets", j), j == 0 ? in : out, out,
                                 VaeResnet(config));
    }
    if (i + 1 < config.block_out_channels.size()) {
      level.downsampler.emplace(block.At("downsamplers", 0), out,
                                /*padding=*/0);
    }
    in = out;
  }
}

at::Tensor Encoder::forward(at::Tensor x) const {
  x = conv_in.forward(x);
  for (const Level& level : down_blocks) x = level.forward(x);
  x = mid_block.forward(x);
  return conv_out.forward(conv_norm_out.forward_silu(x));
}

Decoder::Decoder(const Weights& weights, const AutoencoderKLConfig& config)
    : conv_in(weights["conv_in"], config.latent_channels,
              config.block_out_channels.back()),
      mid_block(weights["mid_block"], config),
      conv_norm_out(weights["conv_norm_out"], config.norm_num_groups,
                    config.block_out_channels.front(), kNormEps),
      conv_out(weights["conv_out"], config.block_out_channels.front(),
               config.out_channels) {
  const size_t levels = config.block_out_channels.size();
  int64_t in = config.block_out_channels.back();
  for (size_t i = 0; i < levels; ++i) {
    const Weights block = weights.At("up_blocks", i);
    const int64_t out = config.block_out_channels[levels - 1 - i];
    Level& level = up_blocks.emplace_back();
    for (int64_t j = 0; j < config.layers_per_block + 1; ++j) {
      level.resnets.emplace_back(block.At("resnets", j), j == 0 ? in : out, out,
                                 VaeResnet(config));
    }
    if (i + 1 < levels) level.upsampler.emplace(block.At("upsamplers", 0), out);
    in = out;
  }
}

at::Tensor Decoder::forward(at::Tensor x) const {
  x = mid_block.forward(conv_in.forward(x));
  for (const Level& level : up_blocks) x = level.forward(x);
  return conv_out.forward(conv_norm_out.forward_silu(x));
}

}  // namespace autoencoder

AutoencoderKL::AutoencoderKL(const AutoencoderKLConfig& config,
                             const Weights& weights)
    : config_(config),
      encoder_(WithCurrentNames(weights)["encoder"], config,
               2 * config.latent_channels),
      decoder_(weights["decoder"], config) {
  if (config.use_quant_conv) {
    quant_conv_.emplace(weights["quant_conv"], 2 * config.latent_channels,
                        2 * config.latent_channels, kPointwise);
  }
  if (config.use_post_quant_conv) {
    post_quant_conv_.emplace(weights["post_quant_conv"], config.latent_channels,
                             config.latent_channels, kPointwise);
  }
}

at::Tensor AutoencoderKL::decode(const at::Tensor& latents) const {
  const at::Tensor z = latents.contiguous(at::MemoryFormat::ChannelsLast);
  return decoder_.forward(
      post_quant_conv_.has_value() ? post_quant_conv_->forward(z) : z);
}

at::Tensor AutoencoderKL::encode(const at::Tensor& pixels) const {
  const at::Tensor moments =
      encoder_.forward(pixels.contiguous(at::MemoryFormat::ChannelsLast));
  return quant_conv_.has_value() ? quant_conv_->forward(moments) : moments;
}

}  // namespace genzo
