#ifndef GENZO_WORKER_MODEL_TRANSFORMER_2D_H_
#define GENZO_WORKER_MODEL_TRANSFORMER_2D_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/model/attention.h"

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

// Lets every place of a feature map attend to the others and to the text
// (diffusers' Transformer2DModel; the SpatialTransformer of arXiv:2112.10752).
class Transformer2D {
 public:
  Transformer2D(const Weights& weights, const Transformer2DConfig& config);

  // x [B, channels, H, W], context [B, M, cross_attention_dim] -> as x.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& context) const;

 private:
  struct BasicTransformerBlock {
    BasicTransformerBlock(const Weights& weights,
                          const Transformer2DConfig& config);
    at::Tensor forward(at::Tensor x, const at::Tensor& context) const;

    LayerNorm norm1;
    Attention attn1;
    LayerNorm norm2;
    Attention attn2;
    LayerNorm norm3;
    Linear ff_in;   // ff.net.0.proj, twice as wide: values and gates
    Linear ff_out;  // ff.net.2
    bool only_cross_attention;
  };

  GroupNorm norm_;
  // A 1x1 convolution or the same as a linear layer, as the checkpoint has it.
  std::optional<Conv2d> proj_in_conv_, proj_out_conv_;
  std::optional<Linear> proj_in_linear_, proj_out_linear_;
  std::vector<BasicTransformerBlock> transformer_blocks_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_MODEL_TRANSFORMER_2D_H_
