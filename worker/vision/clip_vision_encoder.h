#ifndef GENZO_WORKER_VISION_CLIP_VISION_ENCODER_H_
#define GENZO_WORKER_VISION_CLIP_VISION_ENCODER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/nn/clip_layer.h"
#include "worker/nn/layers.h"
#include "worker/weights/text_file.h"
#include "worker/weights/weights.h"

namespace genzo {

// Sizes of a CLIP vision transformer, from its config.json.
struct ClipVisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t image_size = 224;
  int64_t patch_size = 32;
  int64_t projection_dim = 512;
  double layer_norm_eps = 1e-5;
  Activation hidden_act = Activation::kQuickGelu;

  // Patches and the class token before them.
  int64_t tokens() const {
    return (image_size / patch_size) * (image_size / patch_size) + 1;
  }
};

// Reads config.json of a CLIPVisionModelWithProjection, or the vision part of
// a CLIPModel's (as StableDiffusionSafetyChecker's, too). The message of an
// error names file and key.
absl::StatusOr<ClipVisionConfig> ReadClipVisionConfig(const TextFile& file);

// What pictures are to those who look at them.
struct ClipVisionStates {
  // [B, tokens, hidden_size] before the last layer, not normalised: the
  // reference's hidden_states[-2].
  at::Tensor penultimate;
  at::Tensor pooled;     // [B, hidden_size], the class token, normalised
  at::Tensor embedding;  // [B, projection_dim]; pooled without a projection
};

// Of [N, D] and [M, D] the cosine of each pair, -1 to 1: [N, M].
at::Tensor CosineSimilarity(const at::Tensor& a, const at::Tensor& b);

// The vision transformer of CLIP (Radford et al., arXiv:2103.00020; reference:
// transformers' CLIPVisionModelWithProjection). Immutable after construction;
// any thread may call it.
class ClipVisionEncoder {
 public:
  // Takes "vision_model" and, if there is one, "visual_projection" from
  // `weights`, whose Finish() then tells of faults; an integer buffer of older
  // files, kPositionIds, is not taken.
  ClipVisionEncoder(const ClipVisionConfig& config, const Weights& weights);
  static constexpr char kPositionIds[] = "vision_model.embeddings.position_ids";

  // pixels [B, 3, image_size, image_size] as ClipImageProcessor makes them;
  // cast to the weights' type and moved to their device. A picture's bits do
  // not depend on those beside it.
  ClipVisionStates forward(const at::Tensor& pixels) const;

  int64_t image_size() const { return config_.image_size; }
  int64_t hidden_size() const { return config_.hidden_size; }
  // Width of embeddings.
  int64_t embedding_size() const {
    return visual_projection_.has_value() ? config_.projection_dim
                                          : config_.hidden_size;
  }

 private:
  // [1, 3, H, W] -> [1, tokens, D].
  at::Tensor Embed(const at::Tensor& pixels) const;
  ClipVisionStates EncodeOne(const at::Tensor& pixels) const;

  const ClipVisionConfig config_;
  at::Tensor class_embedding_;     // [D]
  at::Tensor position_embedding_;  // [tokens, D]
  Conv2d patch_embedding_;
  LayerNorm pre_layer_norm_;
  std::vector<ClipLayer> layers_;
  LayerNorm post_layer_norm_;
  std::optional<Linear> visual_projection_;
};

}  // namespace genzo

#endif  // GENZO_WORKER_VISION_CLIP_VISION_ENCODER_H_
