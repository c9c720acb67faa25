#ifndef GENZO_WORKER_DENOISER_TRANSFORMER_2D_H_
#define GENZO_WORKER_DENOISER_TRANSFORMER_2D_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/denoiser/picture_prompt.h"
#include "worker/denoiser/row_edits.h"
#include "worker/nn/attention.h"

namespace genzo {

// Sizes of one spatial transformer.
struct Transformer2DConfig {
  int64_t channels = 0;
  int64_t heads = 1;  // divides channels
  int64_t layers = 1;
  int64_t cross_attention_dim = 768;
  int64_t norm_num_groups = 32;
  bool use_linear_projection = false;
  bool only_cross_attention = false;
  bool upcast_attention = false;
};

// Hands out the projected context layer by layer, in the network's order.
class ContextCursor {
 public:
  // `prepared` holds keys and values of a layer one after the other; all
  // outlive the cursor.
  ContextCursor(const std::vector<at::Tensor>& prepared,
                const std::vector<PicturePrompt>& pictures,
                const RowEdits& edits = NoEdits())
      : prepared_(prepared), pictures_(pictures), edits_(edits) {}
  KeyValues Next() {
    next_ += 2;
    return {prepared_[next_ - 2], prepared_[next_ - 1]};
  }
  // What rows attend to beside it in the layer that Next() gave last.
  std::vector<PictureContext> Pictures() const;
  const RowEdits& edits() const { return edits_; }

 private:
  const std::vector<at::Tensor>& prepared_;
  const std::vector<PicturePrompt>& pictures_;
  const RowEdits& edits_;
  size_t next_ = 0;
};

// Lets every place of a feature map attend to the others and to the text
// (diffusers' Transformer2DModel; the SpatialTransformer of arXiv:2112.10752).
class Transformer2D {
 public:
  Transformer2D(const Weights& weights, const Transformer2DConfig& config);

  // Appends keys and values of context [B, M, cross_attention_dim] of each
  // cross-attention layer, in the order in which forward() takes them.
  void ProjectContext(const at::Tensor& context, const EvalContext& adapters,
                      std::vector<at::Tensor>& prepared) const;

  // Names of the self-attention layers in front of every text's.
  void ListSelfAttention(std::vector<std::string>& names) const;

  // x [B, channels, H, W] -> the same. Takes its layers from `context`.
  at::Tensor forward(const at::Tensor& x, ContextCursor& context,
                     const EvalContext& adapters) const;

 private:
  struct BasicTransformerBlock {
    BasicTransformerBlock(const Weights& weights,
                          const Transformer2DConfig& config);
    at::Tensor forward(at::Tensor x, ContextCursor& context,
                       const EvalContext& adapters) const;
    // What the text gives x, added to it, where rows keep or take features.
    at::Tensor AttendToText(const at::Tensor& x, ContextCursor& context,
                            const EvalContext& adapters) const;

    std::string name;
    LayerNorm norm1;
    Attention attn1;
    LayerNorm norm2;
    Attention attn2;
    LayerNorm norm3;
    // The two halves of ff.net.0.proj, and ff.net.2 (GEGLU, arXiv:2002.05202).
    std::optional<Linear> ff_value, ff_gate;
    Linear ff_out;
    bool only_cross_attention;
  };

  GroupNorm norm_;
  // A 1x1 convolution or the same as a linear layer, as the checkpoint has it.
  std::optional<Conv2d> proj_in_conv_, proj_out_conv_;
  std::optional<Linear> proj_in_linear_, proj_out_linear_;
  std::vector<BasicTransformerBlock> transformer_blocks_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_DENOISER_TRANSFORMER_2D_H_
