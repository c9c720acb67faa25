#ifndef GENZO_WORKER_DENOISER_UNET_2D_BLOCKS_H_
#define GENZO_WORKER_DENOISER_UNET_2D_BLOCKS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/denoiser/control_residuals.h"
#include "worker/denoiser/transformer_2d.h"
#include "worker/nn/downsample_2d.h"
#include "worker/nn/resnet_block_2d.h"
#include "worker/nn/upsample_2d.h"

namespace genzo {

// Hands out slices of the projected timesteps, resnet by resnet, in the
// network's order.
class TimeCursor {
 public:
  // times [B, sum of all resnets' time_channels] float32; outlives the cursor.
  explicit TimeCursor(const at::Tensor& times) : times_(times) {}
  at::Tensor Next(int64_t channels);  // [B, channels]; undefined for 0

 private:
  const at::Tensor& times_;
  int64_t next_ = 0;
};

// What the blocks of the UNet see besides their feature map; they use it up in
// order.
struct UNetConditioning {
  TimeCursor times;
  ContextCursor context;
  const EvalContext& adapters;  // outlives it
  // Of the rows; outlives it. Null: none.
  const std::vector<ControlSegment>* controls = nullptr;
  size_t level = 0;  // of the way down, that ends next

  // Adds what the controls have for the end of a level, in place.
  void EndLevel(const at::Tensor& x) {
    if (controls != nullptr) AddWithin(*controls, level, x);
    ++level;
  }
  // The same behind the middle block.
  void EndMiddle(const at::Tensor& x) const {
    if (controls != nullptr) AddToMiddle(*controls, level, x);
  }
};

// One resolution's resnets, and its transformers: none, or one after each
// resnet but those that `resnets` has more.
struct UNetLayers {
  // Append what the layers need of temb [B, temb_channels], after its
  // activation, and of context [B, M, cross_attention_dim].
  void ProjectTime(const at::Tensor& temb, const EvalContext& adapters,
                   std::vector<at::Tensor>& times) const;
  void ProjectContext(const at::Tensor& context, const EvalContext& adapters,
                      std::vector<at::Tensor>& prepared) const;

  at::Tensor Resnet(size_t i, const at::Tensor& x,
                    UNetConditioning& conditioning) const;
  // x unchanged where there are no transformers.
  at::Tensor Attend(size_t i, const at::Tensor& x,
                    UNetConditioning& conditioning) const;

  std::vector<ResnetBlock2D> resnets;
  std::vector<Transformer2D> attentions;
};

// Sizes of one down or up block.
struct UNetBlockConfig {
  std::vector<int64_t> in_channels;  // of each resnet, skip included
  int64_t out_channels = 0;
  bool has_attention = false;
  bool has_sampler = false;  // down- or upsampling at the end
  int64_t downsample_padding = 1;
  ResnetConfig resnet;
  Transformer2DConfig transformer;          // but for its layers:
  std::vector<int64_t> transformer_layers;  // of each transformer
};

// DownBlock2D and CrossAttnDownBlock2D.
class UNetDownBlock {
 public:
  UNetDownBlock(const Weights& weights, const UNetBlockConfig& config);

  const UNetLayers& layers() const { return layers_; }

  // Appends the outputs that the up path will need to `skips`.
  at::Tensor forward(at::Tensor x, UNetConditioning& conditioning,
                     std::vector<at::Tensor>& skips) const;

 private:
  UNetLayers layers_;
  std::optional<Downsample2D> downsampler_;
};

// UNetMidBlock2DCrossAttn, and UNetMidBlock2D without attention.
class UNetMidBlock {
 public:
  UNetMidBlock(const Weights& weights, const UNetBlockConfig& config);

  const UNetLayers& layers() const { return layers_; }

  at::Tensor forward(at::Tensor x, UNetConditioning& conditioning) const;

 private:
  UNetLayers layers_;  // the first resnet stands alone
};

// UpBlock2D and CrossAttnUpBlock2D.
class UNetUpBlock {
 public:
  UNetUpBlock(const Weights& weights, const UNetBlockConfig& config);

  const UNetLayers& layers() const { return layers_; }

  // Takes one skip a resnet off the end of `skips`; upsamples to the size of
  // the one that is then last.
  at::Tensor forward(at::Tensor x, UNetConditioning& conditioning,
                     std::vector<at::Tensor>& skips) const;

 private:
  UNetLayers layers_;
  std::optional<Upsample2D> upsampler_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_UNET_2D_BLOCKS_H_
