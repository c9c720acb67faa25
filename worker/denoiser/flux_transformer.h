#ifndef GENZO_WORKER_DENOISER_FLUX_TRANSFORMER_H_
#define GENZO_WORKER_DENOISER_FLUX_TRANSFORMER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/denoiser/denoiser.h"
#include "worker/denoiser/joint_transformer.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/nn/rotary_embedding.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/weights/text_file.h"

namespace genzo {

// Sizes of FLUX.1's network, from its config.json.
struct FluxConfig {
  int64_t in_channels = 64;  // of a packed place: 4 of the latent
  int64_t out_channels = 64;
  int64_t num_layers = 19;              // with weights for text and image each
  int64_t num_single_layers = 38;       // with the same for both
  int64_t joint_attention_dim = 4096;   // of text tokens
  int64_t pooled_projection_dim = 768;  // of the text's vector
  bool guidance_embeds = false;
  std::vector<int64_t> axes_dims_rope = {16, 56, 56};
  HeadsConfig heads;

  int64_t width() const { return heads.width; }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<FluxConfig> ReadFluxConfig(const TextFile& file);

// What a control network must share with such a network to steer it, in words:
// equal ones fit.
std::string ControlFitOf(const FluxConfig& config);

// The network of FLUX.1 (reference: black-forest-labs/flux, model.py, and
// diffusers' FluxTransformer2DModel): blocks as those of SD3, then blocks where
// text and image have the same weights and attention and feed-forward layers
// stand side by side; places are told by rotation. Predicts the flow from
// sample to noise.
//
// Takes tokens [R, L, joint_attention_dim], pooled [R, pooled_projection_dim]
// and, with guidance_embeds, numbers [R, 1], the guidance; prepares the
// embedded tokens [R, L, width] and the embedded vector [R, width]. Samples are
// latents as the autoencoder has them, [B, out_channels / 4, H, W] with even
// sides; they are packed and unpacked here. With more in_channels than that
// the last prepared tensor has the rest, [R, C', H, W] or of one place for all.
class FluxTransformer : public Denoiser {
 public:
  // Its parts, of which control networks are made too.

  // Both streams of tokens: the image's, the text's.
  struct Streams {
    at::Tensor x, text;
  };

  struct Block {
    Block(const Weights& weights, const FluxConfig& config);
    // vector [B, width] after its activation.
    void forward(Streams& streams, const at::Tensor& vector,
                 const Rotation& rotation, const EvalContext& adapters) const;

    int64_t heads;
    Modulation norm1, norm1_context;
    StreamProjection image, text;
    Linear to_out, to_add_out;
    FeedForward ff, ff_context;
  };

  struct SingleBlock {
    SingleBlock(const Weights& weights, const FluxConfig& config);
    // x [B, L + N, width], the text first.
    at::Tensor forward(const at::Tensor& x, const at::Tensor& vector,
                       const Rotation& rotation,
                       const EvalContext& adapters) const;

    int64_t heads;
    Modulation norm;
    StreamProjection attention;
    Linear proj_mlp, proj_out;
  };

  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  FluxTransformer(const FluxConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;
  Placement placement() const override;

  const FluxConfig& config() const { return config_; }

 private:
  // Of `values` [B], in the units of timesteps.
  at::Tensor SinesOf(const at::Tensor& values) const;
  // Of `text` tokens at the origin, then of the h x w places.
  Rotation RotationOf(int64_t text, int64_t h, int64_t w) const;

  const FluxConfig config_;
  Linear x_embedder_;
  TimestepEmbedding timestep_embedder_;
  std::optional<TimestepEmbedding> guidance_embedder_;
  TimestepEmbedding text_embedder_;
  Linear context_embedder_;
  std::vector<Block> transformer_blocks_;
  std::vector<SingleBlock> single_transformer_blocks_;
  ModulatedOutput output_;
  mutable TimestepTable times_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_FLUX_TRANSFORMER_H_
