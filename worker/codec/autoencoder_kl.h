#ifndef GENZO_WORKER_CODEC_AUTOENCODER_KL_H_
#define GENZO_WORKER_CODEC_AUTOENCODER_KL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/attention.h"
#include "worker/nn/downsample_2d.h"
#include "worker/nn/resnet_block_2d.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/json_config.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of an AutoencoderKL, from its config.json.
struct AutoencoderKLConfig {
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t latent_channels = 4;
  std::vector<int64_t> block_out_channels;
  int64_t layers_per_block = 1;
  int64_t norm_num_groups = 32;
  bool mid_block_add_attention = true;
  bool use_quant_conv = true;
  bool use_post_quant_conv = true;
  double scaling_factor = 0.18215;  // latents are multiplied by it
  double shift_factor = 0;          // after it was subtracted
  // Of each channel of unscaled latents; the scaled ones have unit deviation
  // times scaling_factor (Playground 2.5). Both or neither.
  std::vector<float> latents_mean;
  std::vector<float> latents_std;
  bool force_upcast = false;  // activations are too large for float16
  Activation activation = Activation::kSilu;  // of resnets, not at the ends

  // Pixels along one side of a latent's place.
  int64_t downsampling() const {
    return int64_t{1} << (block_out_channels.size() - 1);
  }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<AutoencoderKLConfig> ReadAutoencoderKLConfig(
    const TextFile& file);
// What it has in common with the config.json of other autoencoders, into
// `config`; faults are `json`'s.
void ReadAutoencoderSizes(JsonConfig& json, AutoencoderKLConfig& config);

// What autoencoders of latent diffusion are made of, whatever their latents
// are.
namespace autoencoder {

// Self-attention over all places, one head.
struct AttentionBlock {
  AttentionBlock(const Weights& weights, const AutoencoderKLConfig& config);
  at::Tensor forward(const at::Tensor& x) const;

  GroupNorm group_norm;
  Linear to_q, to_k, to_v, to_out;
};

struct MidBlock {
  MidBlock(const Weights& weights, const AutoencoderKLConfig& config);
  at::Tensor forward(at::Tensor x) const;

  std::vector<ResnetBlock2D> resnets;
  std::optional<AttentionBlock> attention;
};

// One resolution of the encoder or the decoder.
struct Level {
  std::vector<ResnetBlock2D> resnets;
  std::optional<Downsample2D> downsampler;
  std::optional<Upsample2D> upsampler;
  at::Tensor forward(at::Tensor x) const;
};

// Pixels [B, in_channels, H, W] -> [B, out_channels, H / downsampling, W /
// downsampling].
struct Encoder {
  Encoder(const Weights& weights, const AutoencoderKLConfig& config,
          int64_t out_channels);
  at::Tensor forward(at::Tensor x) const;

  Conv2d conv_in;
  std::vector<Level> down_blocks;
  MidBlock mid_block;
  GroupNorm conv_norm_out;
  Conv2d conv_out;
};

// Latents [B, latent_channels, h, w] -> pixels.
struct Decoder {
  Decoder(const Weights& weights, const AutoencoderKLConfig& config);
  at::Tensor forward(at::Tensor x) const;

  Conv2d conv_in;
  MidBlock mid_block;
  std::vector<Level> up_blocks;
  GroupNorm conv_norm_out;
  Conv2d conv_out;
};

}  // namespace autoencoder

// The autoencoder of latent diffusion (Rombach et al., arXiv:2112.10752;
// reference: diffusers' AutoencoderKL). Immutable after construction; may be
// called by any thread.
class AutoencoderKL {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  AutoencoderKL(const AutoencoderKLConfig& config, const Weights& weights);

  // Latents [B, latent_channels, H, W], unscaled, of the weights' dtype ->
  // pixels [B, out_channels, H * downsampling, W * downsampling], around [-1,
  // 1] but not clamped.
  at::Tensor decode(const at::Tensor& latents) const;

  // Pixels [B, in_channels, H, W] in [-1, 1] -> mean and log-variance of the
  // posterior [B, 2 * latent_channels, H / downsampling, W / downsampling].
  at::Tensor encode(const at::Tensor& pixels) const;

  const AutoencoderKLConfig& config() const { return config_; }

 private:
  const AutoencoderKLConfig config_;
  autoencoder::Encoder encoder_;
  autoencoder::Decoder decoder_;
  std::optional<Conv2d> quant_conv_;
  std::optional<Conv2d> post_quant_conv_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_AUTOENCODER_KL_H_
