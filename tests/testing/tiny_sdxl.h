#ifndef GENZO_TESTS_TESTING_TINY_SDXL_H_
#define GENZO_TESTS_TESTING_TINY_SDXL_H_

#include <filesystem>
#include <map>
#include <string>

#include "ATen/TensorOperators.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/cat.h"
#include "ATen/ops/sin.h"
#include "absl/strings/match.h"
#include "nlohmann/json.hpp"
#include "tests/testing/test_folder.h"
#include "tests/worker/weights/tensor_files.h"
#include "worker/weights/safetensors.h"

namespace genzo {

using NamedTensors = std::map<std::string, at::Tensor>;

inline NamedTensors ReadTensors(const std::string& path) {
  const auto file = *SafetensorsFile::Open(path);
  NamedTensors tensors;
  for (const auto& [name, entry] : file->entries()) {
    tensors[name] = *file->Read(name);
  }
  return tensors;
}

// The bytes of a safetensors file of them, in float32.
inline std::string TensorsFile(const NamedTensors& tensors) {
  nlohmann::json header;
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.is_floating_point()) continue;
    const at::Tensor values = tensor.to(at::kFloat).contiguous();
    const size_t begin = data.size();
    data.append(static_cast<const char*>(values.const_data_ptr()),
                values.nbytes());
    header[name] = {{"dtype", "F32"},
                    {"shape", values.sizes().vec()},
                    {"data_offsets", {begin, data.size()}}};
  }
  return TensorFile(header.dump(), 0) + data;
}

// Weights of no meaning, the same always.
inline at::Tensor Ripple(at::IntArrayRef shape) {
  return (at::sin(at::arange(c10::multiply_integers(shape), at::kFloat)) * 0.3)
      .view(shape);
}

// The U-Net of the tiny model as one of SDXL, for texts of `encoders` encoders
// and `numbers` numbers.
inline void WriteTinySdxlUNet(const TestFolder& folder, const std::string& to,
                              int encoders, int numbers) {
  constexpr int64_t kPooled = 8;
  constexpr int64_t kAddedTimeWidth = 4;
  constexpr int64_t kWidth = 64;
  const std::string from = TinyModelFolder() + "/unet/";
  NamedTensors tensors =
      ReadTensors(from + "diffusion_pytorch_model.safetensors");
  for (auto& [name, tensor] : tensors) {
    const bool reads_text = absl::EndsWith(name, "attn2.to_k.weight") ||
                            absl::EndsWith(name, "attn2.to_v.weight");
    if (!reads_text) continue;
    for (int i = 1; i < encoders; ++i) {
      tensor = at::cat({tensor, tensor.narrow(1, 0, kPooled) * 0.5}, 1);
    }
  }
  const int64_t in = kPooled + numbers * kAddedTimeWidth;
  tensors["add_embedding.linear_1.weight"] = Ripple({kWidth, in});
  tensors["add_embedding.linear_1.bias"] = Ripple({kWidth});
  tensors["add_embedding.linear_2.weight"] = Ripple({kWidth, kWidth});
  tensors["add_embedding.linear_2.bias"] = Ripple({kWidth});
  nlohmann::json config = nlohmann::json::parse(ReadFile(from + "config.json"));
  config["cross_attention_dim"] = kPooled * encoders;
  config["addition_embed_type"] = "text_time";
  config["addition_time_embed_dim"] = kAddedTimeWidth;
  config["projection_class_embeddings_input_dim"] = in;
  folder.Write(to + "/config.json", config.dump());
  folder.Write(to + "/diffusion_pytorch_model.safetensors",
               TensorsFile(tensors));
}

// An SDXL model made of the tiny model's parts: both encoders are its one, the
// second with a projection. Returns its folder.
inline std::string WriteTinySdxl(const TestFolder& folder,
                                 bool with_refiner = false) {
  namespace fs = std::filesystem;
  const fs::path from = TinyModelFolder();
  const fs::path to = fs::path(folder.path()) / "sdxl";
  fs::create_directories(to);
  for (const auto& [part, name] :
       {std::pair("scheduler", "scheduler"), std::pair("vae", "vae"),
        std::pair("tokenizer", "tokenizer"),
        std::pair("tokenizer", "tokenizer_2"),
        std::pair("text_encoder", "text_encoder")}) {
    fs::create_directory_symlink(from / part, to / name);
  }
  NamedTensors second =
      ReadTensors((from / "text_encoder" / "model.safetensors").string());
  second["text_projection.weight"] = Ripple({8, 8});
  folder.Write("sdxl/text_encoder_2/model.safetensors", TensorsFile(second));
  folder.Write("sdxl/text_encoder_2/config.json",
               ReadFile((from / "text_encoder" / "config.json").string()));
  WriteTinySdxlUNet(folder, "sdxl/unet", /*encoders=*/2, /*numbers=*/6);
  nlohmann::json index =
      nlohmann::json::parse(ReadFile((from / "model_index.json").string()));
  index["_class_name"] = "StableDiffusionXLPipeline";
  index["force_zeros_for_empty_prompt"] = true;
  index["tokenizer_2"] = {"transformers", "CLIPTokenizer"};
  index["text_encoder_2"] = {"transformers", "CLIPTextModelWithProjection"};
  folder.Write("sdxl/model_index.json", index.dump());
  if (!with_refiner) return to.string();
  WriteTinySdxlUNet(folder, "sdxl/refiner/unet", /*encoders=*/1,
                    /*numbers=*/5);
  fs::create_directory_symlink(from / "scheduler",
                               to / "refiner" / "scheduler");
  index["_class_name"] = "StableDiffusionXLImg2ImgPipeline";
  index["force_zeros_for_empty_prompt"] = false;
  folder.Write("sdxl/refiner/model_index.json", index.dump());
  return to.string();
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_SDXL_H_
