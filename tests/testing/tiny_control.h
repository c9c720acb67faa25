#ifndef GENZO_TESTS_TESTING_TINY_CONTROL_H_
#define GENZO_TESTS_TESTING_TINY_CONTROL_H_

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/testing/tiny_sdxl.h"

namespace genzo {

// The config.json of a control network for the U-Net in `unet`.
inline nlohmann::json TinyControlConfig(const std::string& unet) {
  nlohmann::json config =
      nlohmann::json::parse(ReadFile(unet + "/config.json"));
  config["_class_name"] = "ControlNetModel";
  config["conditioning_embedding_out_channels"] = {8, 8, 16, 16};
  config.erase("up_block_types");
  return config;
}

// A control network's tensors: the U-Net's own way down, and ripples `strength`
// high beside it, which tell networks apart.
inline NamedTensors TinyControlTensors(const std::string& unet,
                                       double strength) {
  NamedTensors tensors;
  NamedTensors all = ReadTensors(unet + "/diffusion_pytorch_model.safetensors");
  for (const auto& [name, tensor] : all) {
    if (absl::StartsWith(name, "up_blocks.") ||
        absl::StartsWith(name, "conv_norm_out.") ||
        absl::StartsWith(name, "conv_out.")) {
      continue;
    }
    tensors[name] = tensor;
  }
  const auto add = [&](const std::string& name, int64_t in, int64_t out,
                       int64_t kernel) {
    tensors[name + ".weight"] = Ripple({out, in, kernel, kernel}) * strength;
    tensors[name + ".bias"] = Ripple({out}) * strength;
  };
  const nlohmann::json config = TinyControlConfig(unet);
  const auto channels =
      config["block_out_channels"].get<std::vector<int64_t>>();
  const std::vector<int64_t> hint =
      config["conditioning_embedding_out_channels"];
  const std::string embedding = "controlnet_cond_embedding.";
  add(embedding + "conv_in", 3, hint[0], 3);
  for (size_t i = 0; i + 1 < hint.size(); ++i) {
    add(absl::StrCat(embedding, "blocks.", 2 * i), hint[i], hint[i], 3);
    add(absl::StrCat(embedding, "blocks.", 2 * i + 1), hint[i], hint[i + 1], 3);
  }
  add(embedding + "conv_out", hint.back(), channels[0], 3);
  int skips = 0;
  const auto add_skip = [&](int64_t width) {
    add(absl::StrCat("controlnet_down_blocks.", skips++), width, width, 1);
  };
  add_skip(channels[0]);
  for (size_t level = 0; level < channels.size(); ++level) {
    const int64_t layers = config["layers_per_block"];
    for (int64_t i = 0; i < layers; ++i) add_skip(channels[level]);
    if (level + 1 < channels.size()) add_skip(channels[level]);
  }
  add("controlnet_mid_block", channels.back(), channels.back(), 1);
  return tensors;
}

// Writes one as a folder `to`, and returns its path.
inline std::string WriteTinyControl(
    const TestFolder& folder, const std::string& to, double strength = 1,
    const std::string& unet = TinyModelFolder() + "/unet") {
  folder.Write(to + "/config.json", TinyControlConfig(unet).dump());
  folder.Write(to + "/diffusion_pytorch_model.safetensors",
               TensorsFile(TinyControlTensors(unet, strength)));
  return folder.path() + "/" + to;
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_CONTROL_H_
