#ifndef GENZO_WORKER_DENOISER_DIT_H_
#define GENZO_WORKER_DENOISER_DIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/denoiser/denoiser.h"
#include "worker/denoiser/joint_transformer.h"
#include "worker/denoiser/timestep_table.h"
#include "worker/nn/timestep_embedding.h"
#include "worker/weights/text_file.h"

namespace genzo {

// Sizes of a class-conditional diffusion transformer, from its config.json.
struct DitConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 8;  // in_channels, or twice that: variances too
  int64_t sample_size = 32;  // of a latent's side
  int64_t patch_size = 2;
  int64_t num_layers = 28;
  int64_t classes = 1000;  // the class after the last is "none"
  double norm_eps = 1e-5;
  HeadsConfig heads;

  int64_t width() const { return heads.width; }
};

// Reads a component's config.json. UNIMPLEMENTED or INVALID_ARGUMENT name file,
// key and value.
absl::StatusOr<DitConfig> ReadDitConfig(const TextFile& file);

// DiT (Peebles & Xie, arXiv:2212.09748; reference: diffusers'
// DiTTransformer2DModel): a transformer over patches that is told time and
// class by modulation alone. Predicts the noise; the variances that it also
// knows are left out, as the reference pipeline leaves them out.
//
// Takes numbers [R, 1], the class; prepares its embedding in every layer
// [R, num_layers * width]. Samples have sides that are multiples of patch_size.
class Dit : public Denoiser {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  Dit(const DitConfig& config, const Weights& weights);

  absl::StatusOr<PreparedRef> Prepare(
      const Conditioning& conditioning) const override;
  at::Tensor EmbedTimes(const std::vector<float>& times) const override {
    return times_.Rows(times);
  }
  at::Tensor Forward(const at::Tensor& sample, const at::Tensor& times,
                     const Prepared& prepared) const override;
  Placement placement() const override;

 private:
  struct Block {
    Block(const Weights& weights, const DitConfig& config);
    // vector [B, width] after its activation.
    at::Tensor forward(at::Tensor x, const at::Tensor& vector,
                       const EvalContext& adapters) const;

    int64_t heads;
    double norm_eps;
    TimestepEmbedding timestep_embedder;
    at::Tensor embedding_table;  // [classes + 1, width]
    Modulation norm1;
    StreamProjection attn1;
    Linear to_out;
    FeedForward ff;
  };

  // Sines of row and column, in units of the size it was trained at:
  // [1, h * w, width].
  at::Tensor Positions(int64_t h, int64_t w) const;

  const DitConfig config_;
  Linear patch_embedding_;
  std::vector<Block> transformer_blocks_;
  Linear proj_out_1_, proj_out_2_;
  mutable TimestepTable times_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_DIT_H_
