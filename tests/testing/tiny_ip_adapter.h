#ifndef GENZO_TESTS_TESTING_TINY_IP_ADAPTER_H_
#define GENZO_TESTS_TESTING_TINY_IP_ADAPTER_H_

#include <string>

#include "nlohmann/json.hpp"
#include "tests/testing/random_tensors.h"
#include "tests/testing/test_folder.h"
#include "worker/denoiser/unet_2d_condition.h"

namespace genzo {

inline constexpr int64_t kTinyEmbedding = 12;  // of a picture
inline constexpr int64_t kTinyStates = 8;

// An image encoder for pictures of 16 pixels, without meaning, in
// `folder`/image_encoder.
inline void WriteTinyImageEncoder(const std::string& folder) {
  constexpr int64_t kTokens = 5;
  RandomTensors tensors;
  const std::string model = "vision_model.";
  tensors.Add(model + "embeddings.class_embedding", {kTinyStates});
  tensors.Add(model + "embeddings.patch_embedding.weight",
              {kTinyStates, 3, 8, 8});
  tensors.Add(model + "embeddings.position_embedding.weight",
              {kTokens, kTinyStates});
  tensors.AddNorm(model + "pre_layrnorm", kTinyStates);
  tensors.AddNorm(model + "post_layernorm", kTinyStates);
  for (int i = 0; i < 2; ++i) {
    const std::string layer = absl::StrCat(model, "encoder.layers.", i, ".");
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      tensors.AddLayer(layer + "self_attn." + name, kTinyStates, kTinyStates);
    }
    tensors.AddNorm(layer + "layer_norm1", kTinyStates);
    tensors.AddNorm(layer + "layer_norm2", kTinyStates);
    tensors.AddLayer(layer + "mlp.fc1", kTinyStates, 16);
    tensors.AddLayer(layer + "mlp.fc2", 16, kTinyStates);
  }
  tensors.Add("visual_projection.weight", {kTinyEmbedding, kTinyStates});
  tensors.Write(folder + "/image_encoder", "model.safetensors");
  const nlohmann::json config = {{"hidden_size", kTinyStates},
                                 {"intermediate_size", 16},
                                 {"num_hidden_layers", 2},
                                 {"num_attention_heads", 2},
                                 {"image_size", 16},
                                 {"patch_size", 8},
                                 {"projection_dim", kTinyEmbedding},
                                 {"hidden_act", "gelu"}};
  std::ofstream(folder + "/image_encoder/config.json") << config.dump();
}

// An adapter for the tiny model's U-Net without meaning, plain or plus, as
// `folder`/NAME.safetensors. Returns its path.
inline std::string WriteTinyIpAdapter(const std::string& folder,
                                      const std::string& name, bool plus) {
  constexpr int64_t kText = 8;
  constexpr int64_t kLatents = 12;
  RandomTensors tensors;
  const std::string proj = "image_proj.";
  if (plus) {
    tensors.Add(proj + "latents", {1, 3, kLatents});
    tensors.AddLayer(proj + "proj_in", kTinyStates, kLatents);
    tensors.AddLayer(proj + "proj_out", kLatents, kText);
    tensors.AddNorm(proj + "norm_out", kText);
    const std::string layer = proj + "layers.0.";
    tensors.AddNorm(layer + "0.norm1", kLatents);
    tensors.AddNorm(layer + "0.norm2", kLatents);
    tensors.Add(layer + "0.to_q.weight", {64, kLatents});
    tensors.Add(layer + "0.to_kv.weight", {128, kLatents});
    tensors.Add(layer + "0.to_out.weight", {kLatents, 64});
    tensors.AddNorm(layer + "1.0", kLatents);
    tensors.Add(layer + "1.1.weight", {4 * kLatents, kLatents});
    tensors.Add(layer + "1.3.weight", {kLatents, 4 * kLatents});
  } else {
    tensors.AddLayer(proj + "proj", kTinyEmbedding, 4 * kText);
    tensors.AddNorm(proj + "norm", kText);
  }
  const auto unet =
      *ReadUNet2DConditionConfig(TinyModelFolder() + "/unet/config.json");
  // As many layers as it has, down, up, middle.
  int number = 1;
  const auto add = [&](const std::vector<int64_t>& layers, int64_t width) {
    for (const int64_t count : layers) {
      for (int64_t i = 0; i < count; ++i, number += 2) {
        for (const char* part : {"to_k_ip", "to_v_ip"}) {
          tensors.Add(absl::StrCat("ip_adapter.", number, ".", part, ".weight"),
                      {width, kText});
        }
      }
    }
  };
  const auto& widths = unet.block_out_channels;
  for (size_t i = 0; i < widths.size(); ++i) {
    add(unet.down_transformer_layers[i], widths[i]);
  }
  for (size_t i = 0; i < widths.size(); ++i) {
    add(unet.up_transformer_layers[i], widths[widths.size() - 1 - i]);
  }
  add({unet.mid_transformer_layers}, widths.back());
  tensors.Write(folder, name + ".safetensors");
  return folder + "/" + name + ".safetensors";
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_IP_ADAPTER_H_
