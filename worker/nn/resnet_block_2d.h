#ifndef GENZO_WORKER_NN_RESNET_BLOCK_2D_H_
#define GENZO_WORKER_NN_RESNET_BLOCK_2D_H_

#include <cstdint>
#include <optional>

#include "worker/nn/layers.h"

namespace genzo {

// What the residual blocks of one network have in common.
struct ResnetConfig {
  int64_t norm_num_groups = 32;
  double eps = 1e-5;
  int64_t temb_channels = 0;       // 0: no timestep
  bool scale_shift = false;        // timestep scales and shifts, or adds
  double output_scale_factor = 1;  // the sum is divided by it
  Activation activation = Activation::kSilu;
};

// Two normalised 3x3 convolutions around a timestep, and a shortcut (diffusers'
// ResnetBlock2D; the ResBlock of the latent diffusion code).
struct ResnetBlock2D {
  ResnetBlock2D(const Weights& weights, int64_t in, int64_t out,
                const ResnetConfig& config);

  // Channels of what ProjectTime() gives: `out`, twice that where timesteps
  // scale too, 0 without timestep.
  int64_t time_channels() const;
  // temb [B, temb_channels] after its activation -> [B, time_channels] float32.
  at::Tensor ProjectTime(const at::Tensor& temb,
                         const EvalContext& adapters = NoAdapters()) const;

  // x [B, in, H, W], time [B, time_channels] -> [B, out, H, W].
  at::Tensor forward(const at::Tensor& x, const at::Tensor& time,
                     const EvalContext& adapters = NoAdapters()) const;

  ResnetConfig config;
  GroupNorm norm1;
  Conv2d conv1;
  std::optional<Linear> time_emb_proj;
  GroupNorm norm2;
  Conv2d conv2;
  std::optional<Conv2d> conv_shortcut;  // where the channels change
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_RESNET_BLOCK_2D_H_
