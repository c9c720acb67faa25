#ifndef GENZO_TESTS_TESTING_RANDOM_TENSORS_H_
#define GENZO_TESTS_TESTING_RANDOM_TENSORS_H_

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "ATen/TensorOperators.h"
#include "ATen/ops/randn.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "worker/weights/tensor_source.h"

namespace genzo {

// A checkpoint that nobody trained.
class RandomTensors : public TensorSource {
 public:
  void Add(const std::string& name, const std::vector<int64_t>& shape,
           double deviation = 0.3) {
    AddTensor(name, shape, at::randn(shape) * deviation);
  }
  // One value all over.
  void AddValue(const std::string& name, const std::vector<int64_t>& shape,
                double value) {
    AddTensor(name, shape, at::randn(shape) * 0 + value);
  }
  // A layer with weights [out, in] and biases.
  void AddLayer(const std::string& name, int64_t in, int64_t out) {
    Add(name + ".weight", {out, in});
    Add(name + ".bias", {out});
  }
  void AddNorm(const std::string& name, int64_t width) {
    Add(name + ".weight", {width});
    Add(name + ".bias", {width});
  }

  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions&) const override {
    return tensors_.at(name);
  }
  const std::string& path() const override { return path_; }

  // As a safetensors file in `folder`, which is made.
  void Write(const std::string& folder, const std::string& name) const {
    nlohmann::json header;
    uint64_t end = 0;
    for (const auto& [tensor, entry] : entries_) {
      header[tensor] = {{"dtype", "F32"},
                        {"shape", entry.shape},
                        {"data_offsets", {end, end + entry.size_bytes}}};
      end += entry.size_bytes;
    }
    const std::string text = header.dump();
    const uint64_t size = text.size();
    std::filesystem::create_directories(folder);
    std::ofstream file(std::filesystem::path(folder) / name, std::ios::binary);
    file.write(reinterpret_cast<const char*>(&size), sizeof(size));
    file << text;
    for (const auto& [tensor, values] : tensors_) {
      file.write(static_cast<const char*>(values.const_data_ptr()),
                 static_cast<std::streamsize>(values.nbytes()));
    }
  }

 private:
  void AddTensor(const std::string& name, const std::vector<int64_t>& shape,
                 const at::Tensor& tensor) {
    tensors_[name] = tensor;
    entries_[name] = {.dtype = at::kFloat,
                      .shape = shape,
                      .begin_bytes = 0,
                      .size_bytes = tensor.nbytes()};
  }

  std::string path_ = "random";
  std::map<std::string, TensorEntry> entries_;
  std::map<std::string, at::Tensor> tensors_;
};

// The tensors of a DiT over 4 latent channels with patches of 2.
inline RandomTensors RandomDit(int64_t layers, int64_t width, int64_t classes) {
  RandomTensors tensors;
  tensors.Add("pos_embed.proj.weight", {width, 4, 2, 2});
  tensors.Add("pos_embed.proj.bias", {width});
  for (int64_t i = 0; i < layers; ++i) {
    const std::string block = absl::StrCat("transformer_blocks.", i, ".");
    const auto add = [&](const char* name, int64_t in, int64_t out) {
      tensors.AddLayer(block + name, in, out);
    };
    add("norm1.emb.timestep_embedder.linear_1", 256, width);
    add("norm1.emb.timestep_embedder.linear_2", width, width);
    tensors.Add(block + "norm1.emb.class_embedder.embedding_table.weight",
                {classes + 1, width});
    add("norm1.linear", width, 6 * width);
    for (const char* name :
         {"attn1.to_q", "attn1.to_k", "attn1.to_v", "attn1.to_out.0"}) {
      add(name, width, width);
    }
    add("ff.net.0.proj", width, 4 * width);
    add("ff.net.2", 4 * width, width);
  }
  tensors.AddLayer("proj_out_1", width, 2 * width);
  tensors.AddLayer("proj_out_2", width, 4 * 8);
  return tensors;
}

// The tensors of a CLIP text encoder with a projection, 2 layers.
inline RandomTensors RandomClip(int64_t width) {
  RandomTensors tensors;
  tensors.Add("text_model.embeddings.token_embedding.weight", {49408, width});
  tensors.Add("text_model.embeddings.position_embedding.weight", {77, width});
  for (int64_t i = 0; i < 2; ++i) {
    const std::string layer =
        absl::StrCat("text_model.encoder.layers.", i, ".");
    tensors.AddNorm(layer + "layer_norm1", width);
    for (const char* name : {"q_proj", "k_proj", "v_proj", "out_proj"}) {
      tensors.AddLayer(absl::StrCat(layer, "self_attn.", name), width, width);
    }
    tensors.AddNorm(layer + "layer_norm2", width);
    tensors.AddLayer(layer + "mlp.fc1", width, 4 * width);
    tensors.AddLayer(layer + "mlp.fc2", 4 * width, width);
  }
  tensors.AddNorm("text_model.final_layer_norm", width);
  tensors.Add("text_projection.weight", {width, width});
  return tensors;
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_RANDOM_TENSORS_H_
