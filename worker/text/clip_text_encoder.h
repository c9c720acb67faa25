#ifndef GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_
#define GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/clip_layer.h"
#include "worker/nn/layers.h"
#include "worker/text/learned_words.h"
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
  Activation hidden_act = Activation::kQuickGelu;
  int64_t eos_token_id = 2;
  int64_t projection_dim = 0;  // 0: no projection
};

// What a text is to a family that takes more than hidden states.
struct ClipTextStates {
  at::Tensor hidden;  // [B, L, hidden_size]
  at::Tensor pooled;  // [B, projection_dim, or hidden_size without one]
};

// Reads a component's config.json; the message of an error names file and key.
// For CLIPTextModel; the second for CLIPTextModelWithProjection.
absl::StatusOr<ClipTextConfig> ReadClipTextConfig(const TextFile& file);
absl::StatusOr<ClipTextConfig> ReadClipTextProjectionConfig(
    const TextFile& file);

// The text transformer of CLIP (Radford et al., arXiv:2103.00020; reference:
// transformers' CLIPTextModel and CLIPTextModelWithProjection). Immutable after
// construction; any thread may call it.
class ClipTextEncoder {
 public:
  // Takes its tensors from `weights`, whose Finish() then tells of faults.
  ClipTextEncoder(const ClipTextConfig& config, const Weights& weights);

  // ids [B, L] int64 on the weights' device, L <= max_position_embeddings,
  // values below vocab_size or those of `learned`. Returns the hidden states
  // [B, L, hidden_size] after the final layer norm, with the last `clip_skip`
  // layers left out.
  at::Tensor forward(const at::Tensor& ids, int64_t clip_skip,
                     const EvalContext& adapters = NoAdapters(),
                     const LearnedWords& learned = {}) const;

  // The hidden states before the last `skipped` layers, 0 to all of them, not
  // normalised (the reference's hidden_states[-1 - skipped]), and the state at
  // the first end token after all layers and the final layer norm, projected
  // where the model has a projection. The end token is the largest id of a text
  // where the file says 2, as published files do; of a text with learned words,
  // as in the reference, that is one of them.
  ClipTextStates EncodePooled(const at::Tensor& ids, int64_t skipped,
                              const EvalContext& adapters = NoAdapters(),
                              const LearnedWords& learned = {}) const;

 private:
  at::Tensor Embed(const at::Tensor& ids, const LearnedWords& learned) const;
  // [B, L] -> [B], the place of each text's end token.
  at::Tensor EndOf(const at::Tensor& ids) const;

  const int64_t eos_token_id_;
  at::Tensor token_embedding_;
  at::Tensor position_embedding_;
  std::vector<ClipLayer> layers_;
  LayerNorm final_layer_norm_;
  std::optional<Linear> text_projection_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_TEXT_CLIP_TEXT_ENCODER_H_
