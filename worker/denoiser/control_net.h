#ifndef GENZO_WORKER_DENOISER_CONTROL_NET_H_
#define GENZO_WORKER_DENOISER_CONTROL_NET_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/denoiser/control_network.h"
#include "worker/denoiser/hint_embedding.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/denoiser/unet_2d_condition.h"

namespace genzo {

// Sizes of a ControlNetModel, from its config.json.
struct ControlNetConfig {
  UNet2DConditionConfig unet;  // whose way down it copies
  int64_t hint_channels = 3;
  std::vector<int64_t> hint_embedding_channels = {16, 32, 96, 256};
  bool bgr = false;    // the hint's channels, as it was trained
  bool pools = false;  // residuals are means over the picture
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<ControlNetConfig> ReadControlNetConfig(const TextFile& file);

// The control network of Stable Diffusion, XL included (Zhang et al.,
// arXiv:2302.05543; reference: diffusers' ControlNetModel): the U-Net's way
// down and its middle once more, whose outputs pass through one convolution
// each. Takes what the U-Net takes but for an embedded guidance scale, and
// hints whose sides are those of the picture.
class ControlNet : public ControlNetwork {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  ControlNet(const ControlNetConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  ControlResiduals Forward(const at::Tensor& sample, const at::Tensor& times,
                           const Prepared& prepared) const override;
  Placement placement() const override;
  bool reads_latents() const override { return false; }
  bool pools() const override { return config_.pools; }

 private:
  at::Tensor ProjectTimes(const at::Tensor& temb) const;
  // The same of each row by itself on a CPU, for its bits.
  at::Tensor ProjectRows(const at::Tensor& temb) const;
  std::vector<const UNetLayers*> AllLayers() const;

  const ControlNetConfig config_;
  Conv2d conv_in_;
  UNetEmbeddings embeddings_;
  HintEmbedding controlnet_cond_embedding_;
  std::vector<UNetDownBlock> down_blocks_;
  UNetMidBlock mid_block_;
  std::vector<Conv2d> controlnet_down_blocks_;  // one a skip
  Conv2d controlnet_mid_block_;
  mutable TimestepTable times_;  // thread-safe
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_CONTROL_NET_H_
