#ifndef GENZO_WORKER_MODEL_UNET_2D_BLOCKS_H_
#define GENZO_WORKER_MODEL_UNET_2D_BLOCKS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/model/resnet_block_2d.h"
#include "worker/model/transformer_2d.h"

namespace genzo {

// What a block of the UNet sees besides its feature map.
struct UNetConditioning {
  at::Tensor temb;     // [B, temb_channels]
  at::Tensor context;  // [B, M, cross_attention_dim]
};

// Halves height and width.
struct Downsample2D {
  // `padding` 0 pads below and right only, as the reference does.
  Downsample2D(const Weights& weights, int64_t channels, int64_t padding);
  at::Tensor forward(const at::Tensor& x) const;

  Conv2d conv;
};

// Enlarges to a given height and width, then convolves.
struct Upsample2D {
  Upsample2D(const Weights& weights, int64_t channels);
  at::Tensor forward(const at::Tensor& x, at::IntArrayRef size) const;

  Conv2d conv;
};

// Sizes of one down or up block.
struct UNetBlockConfig {
  std::vector<int64_t> in_channels;  // of each resnet, skip included
  int64_t out_channels = 0;
  bool has_attention = false;
  bool has_sampler = false;  // down- or upsampling at the end
  int64_t downsample_padding = 1;
  ResnetConfig resnet;
  Transformer2DConfig transformer;
};

// DownBlock2D and CrossAttnDownBlock2D.
class UNetDownBlock {
 public:
  UNetDownBlock(const Weights& weights, const UNetBlockConfig& config);

  // Appends the outputs that the up path will need to `skips`.
  at::Tensor forward(at::Tensor x, const UNetConditioning& conditioning,
                     std::vector<at::Tensor>& skips) const;

 private:
  std::vector<ResnetBlock2D> resnets_;
  std::vector<Transformer2D> attentions_;  // none, or one a resnet
  std::optional<Downsample2D> downsampler_;
};

// UNetMidBlock2DCrossAttn, and UNetMidBlock2D without attention.
class UNetMidBlock {
 public:
  UNetMidBlock(const Weights& weights, const UNetBlockConfig& config);

  at::Tensor forward(at::Tensor x, const UNetConditioning& conditioning) const;

 private:
  std::vector<ResnetBlock2D> resnets_;
  std::vector<Transformer2D> attentions_;  // between the resnets
};

// UpBlock2D and CrossAttnUpBlock2D.
class UNetUpBlock {
 public:
  UNetUpBlock(const Weights& weights, const UNetBlockConfig& config);

  // Takes one skip a resnet off the end of `skips`; upsamples to the size of
  // the one that is then last.
  at::Tensor forward(at::Tensor x, const UNetConditioning& conditioning,
                     std::vector<at::Tensor>& skips) const;

 private:
  std::vector<ResnetBlock2D> resnets_;
  std::vector<Transformer2D> attentions_;  // none, or one a resnet
  std::optional<Upsample2D> upsampler_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_MODEL_UNET_2D_BLOCKS_H_
