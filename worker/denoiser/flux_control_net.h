#ifndef GENZO_WORKER_DENOISER_FLUX_CONTROL_NET_H_
#define GENZO_WORKER_DENOISER_FLUX_CONTROL_NET_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/denoiser/control_network.h"
#include "worker/denoiser/flux_transformer.h"
#include "worker/denoiser/hint_embedding.h"

namespace genzo {

// Sizes of a FluxControlNetModel, from its config.json.
struct FluxControlNetConfig {
  FluxConfig transformer;     // with fewer blocks than the one that is steered
  int64_t hint_channels = 0;  // of hints that are pictures; 0: latents
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value; networks of several kinds of control (num_mode) are the
// former.
absl::StatusOr<FluxControlNetConfig> ReadFluxControlNetConfig(
    const TextFile& file);

// The control network of FLUX.1 (reference: diffusers' FluxControlNetModel): a
// transformer like FLUX's, smaller, to whose patches the hint's are added.
// Takes what FLUX takes and hints that are latents [1, C, H, W] like its
// samples, or pictures eight times that size.
class FluxControlNet : public ControlNetwork {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  FluxControlNet(const FluxControlNetConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  ControlResiduals Forward(const at::Tensor& sample, const at::Tensor& times,
                           const Prepared& prepared) const override;
  Placement placement() const override;
  bool reads_latents() const override { return config_.hint_channels == 0; }

 private:
  at::Tensor Embed(const TimestepEmbedding& embedder,
                   const at::Tensor& values) const;
  // The hint's share of the first tokens, [1, N, width].
  at::Tensor EmbedHint(const at::Tensor& hint) const;

  const FluxControlNetConfig config_;
  Linear x_embedder_, controlnet_x_embedder_;
  std::optional<HintEmbedding> input_hint_block_;
  TimestepEmbedding timestep_embedder_;
  std::optional<TimestepEmbedding> guidance_embedder_;
  TimestepEmbedding text_embedder_;
  Linear context_embedder_;
  std::vector<FluxTransformer::Block> transformer_blocks_;
  std::vector<FluxTransformer::SingleBlock> single_transformer_blocks_;
  std::vector<Linear> controlnet_blocks_, controlnet_single_blocks_;
  mutable TimestepTable times_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_FLUX_CONTROL_NET_H_
