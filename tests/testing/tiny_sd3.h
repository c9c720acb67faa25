#ifndef GENZO_TESTS_TESTING_TINY_SD3_H_
#define GENZO_TESTS_TESTING_TINY_SD3_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "nlohmann/json.hpp"
#include "tests/testing/random_tensors.h"
#include "tests/testing/test_folder.h"

namespace genzo {

// The tiny FLUX.1 among the test data.
inline std::string TinyFluxFolder() {
  return SourcePath("tests/data/reference/models/flux-dev");
}

// Two layers of a CLIP encoder with random weights.
inline void WriteRandomClip(const TestFolder& folder, const std::string& name,
                            int64_t width, int64_t heads) {
  RandomClip(width).Write(folder.path() + "/" + name, "model.safetensors");
  const nlohmann::json config = {{"hidden_size", width},
                                 {"intermediate_size", 4 * width},
                                 {"num_hidden_layers", 2},
                                 {"num_attention_heads", heads},
                                 {"projection_dim", width}};
  folder.Write(name + "/config.json", config.dump());
}

// The model_index.json beside WriteTinySd3()'s parts, with T5 or without.
inline void WriteTinySd3Index(const TestFolder& folder, bool with_t5) {
  nlohmann::json index = {{"_class_name", "StableDiffusion3Pipeline"}};
  const auto add = [&](const char* name, const char* of_class) {
    index[name] = {"diffusers", of_class};
  };
  add("scheduler", "FlowMatchEulerDiscreteScheduler");
  add("text_encoder", "CLIPTextModelWithProjection");
  add("text_encoder_2", "CLIPTextModelWithProjection");
  add("tokenizer", "CLIPTokenizer");
  add("tokenizer_2", "CLIPTokenizer");
  add("transformer", "SD3Transformer2DModel");
  add("vae", "AutoencoderKL");
  if (with_t5) {
    add("text_encoder_3", "T5EncoderModel");
    add("tokenizer_3", "T5TokenizerFast");
  } else {
    // As diffusers writes what was left out.
    index["text_encoder_3"] = {nullptr, nullptr};
  }
  folder.Write("model_index.json", index.dump());
}

// A model in `folder` itself: the committed SD3.5 transformer among random CLIP
// encoders and what the tiny FLUX has. Returns the path.
inline std::string WriteTinySd3(const TestFolder& folder) {
  const std::string flux = TinyFluxFolder() + "/";
  const std::string sd35 =
      SourcePath("tests/data/reference/models/sd35-transformer");
  for (const auto& [name, target] :
       {std::pair("tokenizer", flux + "tokenizer"),
        std::pair("tokenizer_2", flux + "tokenizer"),
        std::pair("tokenizer_3", flux + "tokenizer_2"),
        std::pair("text_encoder_3", flux + "text_encoder_2"),
        std::pair("vae", flux + "vae"), std::pair("transformer", sd35)}) {
    std::filesystem::create_directory_symlink(target,
                                              folder.path() + "/" + name);
  }
  WriteRandomClip(folder, "text_encoder", /*width=*/8, /*heads=*/2);
  WriteRandomClip(folder, "text_encoder_2", /*width=*/12, /*heads=*/3);
  folder.Write("scheduler/scheduler_config.json",
               R"({"_class_name": "FlowMatchEulerDiscreteScheduler",
                   "shift": 3.0})");
  WriteTinySd3Index(folder, /*with_t5=*/true);
  return folder.path();
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_SD3_H_
