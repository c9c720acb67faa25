#ifndef GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_
#define GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/layers.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of a CLIP text transformer, from its config.json.
struct ClipTextConfig {
  int64_t vocab_size = 49408;
  int64_t hidden_size = 512;
  int64_t intermediate_size = 2048;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 8;
  int64_t max_position_embeddings = 77;
  double layer_norm_eps = 1e-5;
  std::string hidden_act = "quick_gelu";  // or "gelu"
};

// Reads a component's config.json; the message of an error names file and key.
absl::StatusOr<ClipTextConfig> ReadClipTextConfig(const TextFile& file);

// The text transformer of CLIP (Radford et al., arXiv:2103.00020; reference:
// transformers' CLIPTextModel). Immutable after construction; forward may be
// called by any thread.
class ClipTextEncoder {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  ClipTextEncoder(const ClipTextConfig& config, const Weights& weights);

  // ids [B, L] int64 on the weights' device, L <= max_position_embeddings,
  // values below vocab_size. Returns the hidden states [B, L, hidden_size]
  // after the final layer norm, with the last `clip_skip` layers left out.
  at::Tensor forward(const at::Tensor& ids, int64_t clip_skip) const;

 private:
  struct Layer {
    Layer(const ClipTextConfig& config, const Weights& weights);
    at::Tensor forward(at::Tensor x) const;

    const int64_t num_attention_heads;
    const std::string hidden_act;
    LayerNorm layer_norm1;
    Linear q_proj, k_proj, v_proj, out_proj;
    LayerNorm layer_norm2;
    Linear fc1, fc2;
  };

  at::Tensor token_embedding_;
  at::Tensor position_embedding_;
  std::vector<Layer> layers_;
  LayerNorm final_layer_norm_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_
