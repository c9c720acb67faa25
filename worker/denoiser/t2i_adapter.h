#ifndef GENZO_WORKER_DENOISER_T2I_ADAPTER_H_
#define GENZO_WORKER_DENOISER_T2I_ADAPTER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/denoiser/control_network.h"
#include "worker/denoiser/unet_2d_condition.h"

namespace genzo {

// Sizes of a T2IAdapter, from its config.json.
struct T2IAdapterConfig {
  UNet2DConditionConfig unet;  // that it steers
  int64_t hint_channels = 3;   // 1: grey
  int64_t downscale_factor = 8;
  int64_t resnets = 2;            // a block
  std::vector<int64_t> channels;  // of each block's features
  bool light = false;             // narrow inside
  bool xl = false;                // only the third block halves the sides
};

// Reads a component's config.json, whose key "unet" holds that of the U-Net.
// UNIMPLEMENTED or INVALID_ARGUMENT name file, key and value.
absl::StatusOr<T2IAdapterConfig> ReadT2IAdapterConfig(const TextFile& file);

// The adapter of Mou et al. (arXiv:2302.08453; reference: diffusers'
// T2IAdapter): a small network that sees the hint alone, neither sample nor
// time, so that all of it is done once a job. Its features are added where the
// levels of the U-Net's way down end, as many as there are of both, and one
// more to the middle's output where it has that shape. Takes hints whose sides
// are those of the picture.
class T2IAdapter : public ControlNetwork {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  T2IAdapter(const T2IAdapterConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override;
  ControlResiduals Forward(const at::Tensor& sample, const at::Tensor& times,
                           const Prepared& prepared) const override;
  Placement placement() const override { return placement_; }
  bool reads_latents() const override { return false; }
  bool evaluates() const override { return false; }

 private:
  struct Resnet {
    Conv2d block1, block2;
  };
  struct Block {
    bool halves = false;
    std::optional<Conv2d> in_conv;
    std::vector<Resnet> resnets;
    std::optional<Conv2d> out_conv;
  };

  Block MakeBlock(const Weights& weights, int64_t in, int64_t out,
                  bool halves) const;

  const T2IAdapterConfig config_;
  std::optional<Conv2d> conv_in_;
  std::vector<Block> body_;
  Placement placement_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_T2I_ADAPTER_H_
