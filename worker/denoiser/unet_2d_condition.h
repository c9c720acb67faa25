#ifndef GENZO_WORKER_DENOISER_UNET_2D_CONDITION_H_
#define GENZO_WORKER_DENOISER_UNET_2D_CONDITION_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/denoiser/denoiser.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/denoiser/unet_2d_blocks.h"
#include "worker/denoiser/unet_2d_embeddings.h"
#include "worker/weights/json_config.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of a UNet2DConditionModel, from its config.json. Lists have one entry a
// down block.
struct UNet2DConditionConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  Sides sample_size = Sides::Square(64);  // of latents that it was trained for
  std::vector<int64_t> block_out_channels;
  std::vector<bool> down_has_attention;
  std::vector<bool> up_has_attention;  // in the order of the up blocks
  bool mid_exists = true;
  bool mid_has_attention = true;
  std::vector<int64_t> layers_per_block;
  // Of each transformer of a down, the middle, or an up block.
  std::vector<std::vector<int64_t>> down_transformer_layers;
  int64_t mid_transformer_layers = 1;
  std::vector<std::vector<int64_t>> up_transformer_layers;
  std::vector<int64_t> cross_attention_dim;
  std::vector<int64_t> heads;
  std::vector<bool> only_cross_attention;
  bool use_linear_projection = false;
  bool upcast_attention = false;
  bool center_input_sample = false;
  int64_t downsample_padding = 1;
  double mid_block_scale_factor = 1;
  int64_t conv_in_kernel = 3;
  int64_t conv_out_kernel = 3;
  UNetEmbeddingsConfig embeddings;
  ResnetConfig resnet;
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<UNet2DConditionConfig> ReadUNet2DConditionConfig(
    const TextFile& file);

// Sizes of a down block, and of the middle one: control networks have the same.
UNetBlockConfig DownBlockConfig(const UNet2DConditionConfig& config,
                                size_t level);
UNetBlockConfig MidBlockConfig(const UNet2DConditionConfig& config);

// What a control network must share with a U-Net to steer it, in words: equal
// ones fit. Where it attends it need not: small ones do nowhere.
std::string ControlFitOf(const UNet2DConditionConfig& config);

// A U-Net's cross-attention layers as image prompt adapters count them: down,
// up, middle.
struct PictureLayers {
  std::string fit;  // PictureFit() of them; empty where adapters do not fit
  // Of each layer in the order of forward(), its number there.
  std::vector<size_t> order;
};
PictureLayers PictureLayersOf(const UNet2DConditionConfig& config);

// The denoiser of Stable Diffusion, XL included (Rombach et al.,
// arXiv:2112.10752; Podell et al., arXiv:2307.01952; reference: diffusers'
// UNet2DConditionModel). Of a Conditioning it takes `tokens` [R, M,
// cross_attention_dim] of the weights' dtype, `image` where it has more input
// channels than samples have, of their size or of one place for all, and what
// UNetEmbeddings take. Prepared are keys and values of every cross-attention
// layer, then embeddings, then the image.
class UNet2DConditionModel : public Denoiser {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  UNet2DConditionModel(const UNet2DConditionConfig& config,
                       const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;

  // All else that was prepared follows from the number of tokens and the
  // sample.
  BatchKey KeyOf(at::IntArrayRef sample,
                 const Prepared& prepared) const override;

  // What the resnets add, [B, T] float32, unless that depends on the
  // conditioning too, and behind it the times' share of it.
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }

  // sample [B, in_channels less those of the image, H, W] -> the prediction
  // [B, out_channels, H, W] of the weights' dtype. Any H and W of at least 1.
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;

  std::vector<std::string> IdleLayers() const override;

  Placement placement() const override;

  const UNet2DConditionConfig& config() const { return config_; }

 private:
  // temb [B, width] after its activation -> what the resnets add.
  at::Tensor ProjectTimes(const at::Tensor& temb,
                          const EvalContext& adapters) const;
  // The same of each row by itself on a CPU, for its bits.
  at::Tensor ProjectRows(const at::Tensor& temb,
                         const EvalContext& adapters) const;
  // The same from what was kept of the times and was prepared; takes its
  // tensors off the end of the `count` first ones.
  at::Tensor TimesOf(const at::Tensor& times, const Prepared& prepared,
                     size_t& count) const;
  bool AdaptsTimes(const EvalContext& adapters) const;
  at::Tensor AddTimeDeltas(const at::Tensor& temb, const EvalContext& adapters,
                           const at::Tensor& projected) const;
  // Every block's layers, in forward()'s order.
  std::vector<const UNetLayers*> AllLayers() const;

  const UNet2DConditionConfig config_;
  Conv2d conv_in_;
  UNetEmbeddings embeddings_;
  std::vector<UNetDownBlock> down_blocks_;
  std::optional<UNetMidBlock> mid_block_;
  std::vector<UNetUpBlock> up_blocks_;
  GroupNorm conv_norm_out_;
  Conv2d conv_out_;
  int64_t time_channels_ = 0;    // of all resnets
  mutable TimestepTable times_;  // thread-safe
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_UNET_2D_CONDITION_H_
