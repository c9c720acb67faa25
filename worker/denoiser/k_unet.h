#ifndef GENZO_WORKER_DENOISER_K_UNET_H_
#define GENZO_WORKER_DENOISER_K_UNET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/denoiser/denoiser.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/nn/layers.h"
#include "worker/weights/json_config.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of a UNet2DConditionModel of K blocks, from its config.json. Lists have
// one entry a down block.
struct KUNetConfig {
  int64_t in_channels = 8;
  int64_t out_channels = 5;               // the last one is not used
  Sides sample_size = Sides::Square(32);  // of latents that it was trained for
  std::vector<int64_t> block_out_channels;
  std::vector<int64_t> layers_per_block;
  std::vector<bool> down_has_attention;
  std::vector<bool> up_has_attention;  // in the order of the up blocks
  int64_t cross_attention_dim = 768;
  int64_t head_dim = 64;
  int64_t time_width = 768;
  int64_t condition_width = 896;  // of Conditioning::pooled
  double norm_eps = 1e-5;
  int64_t conv_in_kernel = 1;
  int64_t conv_out_kernel = 1;

  int64_t latent_channels() const { return out_channels - 1; }
};

// UNIMPLEMENTED or INVALID_ARGUMENT name file, key and value.
absl::StatusOr<KUNetConfig> ReadKUNetConfig(const TextFile& file);

// The denoiser of Stable Diffusion's latent upscaler, k-diffusion's U-Net: no
// middle block, norms that the time scales and shifts, attention without
// feed-forward layers (reference: diffusers' UNet2DConditionModel of
// KDownBlock2D and its kin, and StableDiffusionLatentUpscalePipeline for what
// is around it). Of a Conditioning it takes `tokens` [R, M,
// cross_attention_dim], `pooled` [R, condition_width] and `image` [R or 1,
// in_channels less the latent's, H, W].
//
// The reference scales input and output as Karras et al. (arXiv:2206.00364,
// table 1) do for data of deviation 1. To a sampler whose samples keep their
// variance, that is a prediction of the velocity, with its sign turned: what
// Forward() gives.
class KUNet : public Denoiser {
 public:
  // `alphas_cumprod` tell the noise at a timestep, which is what this network
  // sees of it. Takes its tensors from `weights`, whose Finish() then tells of
  // faults.
  KUNet(const KUNetConfig& config, const std::vector<float>& alphas_cumprod,
        const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  // sample [B, latent_channels, H, W], sides multiples of 2 to the number of
  // down blocks less one, and at least twice that -> the velocity.
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;
  Placement placement() const override;

  const KUNetConfig& config() const { return config_; }

 private:
  // Group norm without weights of its own: [B, C, H, W] is scaled and shifted
  // by what a layer makes of the time [B, T].
  struct AdaGroupNorm {
    AdaGroupNorm(const Weights& weights, int64_t time_width, int64_t channels,
                 double eps);
    at::Tensor forward(const at::Tensor& x, const at::Tensor& time) const;

    Linear linear;
    int64_t groups;
    double eps;
  };

  struct Resnet {
    // `inner` channels between the convolutions.
    Resnet(const Weights& weights, const KUNetConfig& config, int64_t in,
           int64_t inner, int64_t out);
    at::Tensor forward(const at::Tensor& x, const at::Tensor& time) const;

    AdaGroupNorm norm1;
    Conv2d conv1;
    AdaGroupNorm norm2;
    Conv2d conv2;
    std::optional<Conv2d> conv_shortcut;
  };

  // x + attention of the places of normalised x to themselves or to a text.
  struct Attention {
    Attention(const Weights& weights, const KUNetConfig& config, int64_t dim,
              int64_t context_dim);

    Linear to_q, to_k, to_v, to_out;
    int64_t heads;
  };

  struct AttentionBlock {
    AttentionBlock(const Weights& weights, const KUNetConfig& config,
                   int64_t dim, bool attends_itself);
    at::Tensor forward(at::Tensor x, const at::Tensor& time,
                       const at::Tensor& keys, const at::Tensor& values) const;

    std::optional<AdaGroupNorm> norm1;
    std::optional<Attention> attn1;
    AdaGroupNorm norm2;
    LayerNorm norm_cross;
    Attention attn2;
  };

  struct Block {
    std::vector<Resnet> resnets;
    std::vector<AttentionBlock> attentions;  // one a resnet, or none
    bool has_sampler = false;
  };

  static Block DownBlock(const Weights& weights, const KUNetConfig& config,
                         size_t level);
  static Block UpBlock(const Weights& weights, const KUNetConfig& config,
                       size_t index);
  // Every block with attention, in Forward()'s order.
  std::vector<const AttentionBlock*> Attentions() const;
  at::Tensor EmbedTime(float timestep) const;

  const KUNetConfig config_;
  const std::vector<float> sigmas_;  // of the trained timesteps
  Conv2d conv_in_;
  at::Tensor frequencies_;  // [time_width / 2] float32
  Linear cond_proj_, time_1_, time_2_;
  std::vector<Block> down_blocks_;
  std::vector<Block> up_blocks_;
  Conv2d conv_out_;
  mutable TimestepTable times_;  // thread-safe
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_K_UNET_H_
