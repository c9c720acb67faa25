#ifndef GENZO_TESTS_TESTING_TINY_CLIP_H_
#define GENZO_TESTS_TESTING_TINY_CLIP_H_

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/testing/random_tensors.h"

namespace genzo {

// The vision tower of a CLIP over pictures of 16 x 16 in patches of 8, width 8,
// 2 layers, embeddings of 6; the config.json that goes with it.
inline constexpr char kTinyClipVisionConfig[] = R"({
  "hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2,
  "num_attention_heads": 2, "image_size": 16, "patch_size": 8,
  "projection_dim": 6, "hidden_act": "gelu"})";
inline constexpr int64_t kTinyClipImageSize = 16;

// `prefix` stands before "vision_model".
inline RandomTensors RandomClipVision(const std::string& prefix = "") {
  RandomTensors tensors;
  const std::string model = prefix + "vision_model.";
  tensors.Add(model + "embeddings.class_embedding", {8});
  tensors.Add(model + "embeddings.patch_embedding.weight", {8, 3, 8, 8});
  tensors.Add(model + "embeddings.position_embedding.weight", {5, 8});
  tensors.AddNorm(model + "pre_layrnorm", 8);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = absl::StrCat(model, "encoder.layers.", i, ".");
    tensors.AddNorm(layer + "layer_norm1", 8);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      tensors.AddLayer(absl::StrCat(layer, "self_attn.", name), 8, 8);
    }
    tensors.AddNorm(layer + "layer_norm2", 8);
    tensors.AddLayer(layer + "mlp.fc1", 8, 16);
    tensors.AddLayer(layer + "mlp.fc2", 16, 8);
  }
  tensors.AddNorm(model + "post_layernorm", 8);
  tensors.Add("visual_projection.weight", {6, 8});
  return tensors;
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_CLIP_H_
