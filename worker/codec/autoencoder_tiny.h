#ifndef GENZO_WORKER_CODEC_AUTOENCODER_TINY_H_
#define GENZO_WORKER_CODEC_AUTOENCODER_TINY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/layers.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of an AutoencoderTiny's decoder, from its config.json.
struct AutoencoderTinyConfig {
  int64_t latent_channels = 4;
  std::vector<int64_t> decoder_block_out_channels = {64, 64, 64, 64};
  std::vector<int64_t> num_decoder_blocks = {3, 3, 3, 1};
  double scaling_factor = 1;  // latents are divided by it

  // Pixels along one side of a latent's place.
  int64_t upsampling() const {
    return int64_t{1} << (decoder_block_out_channels.size() - 1);
  }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<AutoencoderTinyConfig> ReadAutoencoderTinyConfig(
    const TextFile& file);

// The decoder of a distilled autoencoder, small enough to show every step by
// (TAESD, github.com/madebyollin/taesd; reference: diffusers' AutoencoderTiny).
// Its encoder is left in the file. Immutable after construction; may be called
// by any thread.
class AutoencoderTiny {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  AutoencoderTiny(const AutoencoderTinyConfig& config, const Weights& weights);

  // Latents [B, latent_channels, H, W] as the denoiser knows them, in the
  // weights' dtype -> pixels [B, 3, H * upsampling, W * upsampling], around
  // [-1, 1] but not clamped.
  at::Tensor decode(const at::Tensor& latents) const;

  const AutoencoderTinyConfig& config() const { return config_; }

 private:
  // Three convolutions and a way around them.
  struct Block {
    Block(const Weights& weights, int64_t channels);
    at::Tensor forward(const at::Tensor& x) const;

    Conv2d conv_0, conv_2, conv_4;
  };

  // One resolution.
  struct Level {
    std::vector<Block> blocks;
    std::optional<Conv2d> conv;
  };

  const AutoencoderTinyConfig config_;
  Conv2d conv_in_;
  std::vector<Level> levels_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_CODEC_AUTOENCODER_TINY_H_
