#ifndef GENZO_WORKER_NN_CLIP_LAYER_H_
#define GENZO_WORKER_NN_CLIP_LAYER_H_

#include <cstdint>

#include "worker/nn/activation.h"
#include "worker/nn/layers.h"

namespace genzo {

// A layer of CLIP's transformers (Radford et al., arXiv:2103.00020; reference:
// transformers' CLIPEncoderLayer). Immutable; any thread may call it.
struct ClipLayer {
  struct Config {
    int64_t hidden_size = 0;  // D
    int64_t intermediate_size = 0;
    int64_t num_attention_heads = 0;  // divide D
    double layer_norm_eps = 1e-5;
    Activation hidden_act = Activation::kQuickGelu;
  };
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  ClipLayer(const Config& config, const Weights& weights);

  // [B, L, D] -> [B, L, D]. A text's places see those before them alone; a
  // picture's all see each other.
  at::Tensor ForwardText(at::Tensor x, const EvalContext& adapters) const;
  at::Tensor ForwardPicture(at::Tensor x) const;

  const int64_t num_attention_heads;
  const Activation hidden_act;
  LayerNorm layer_norm1;
  Linear q_proj, k_proj, v_proj, out_proj;
  LayerNorm layer_norm2;
  Linear fc1, fc2;
};

}  // namespace genzo

#endif  // GENZO_WORKER_NN_CLIP_LAYER_H_
