#ifndef GENZO_TESTS_TESTING_TINY_LORA_H_
#define GENZO_TESTS_TESTING_TINY_LORA_H_

#include <map>
#include <string>
#include <utility>

#include "ATen/TensorOperators.h"
#include "ATen/ops/randn.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/testing/test_folder.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/safetensors_writer.h"

namespace genzo {

// Tensors that a test makes.
class FixedTensors : public TensorSource {
 public:
  void Add(const std::string& name, const at::Tensor& tensor) {
    tensors_[name] = tensor.contiguous();
    entries_[name] = {.dtype = tensor.scalar_type(),
                      .shape = tensor.sizes().vec(),
                      .begin_bytes = 0,
                      .size_bytes = tensor.nbytes()};
  }
  const std::map<std::string, TensorEntry>& entries() const override {
    return entries_;
  }
  using TensorSource::Read;
  absl::StatusOr<at::Tensor> Read(const std::string& name,
                                  const ReadOptions& options) const override {
    const at::Tensor& tensor = tensors_.at(name);
    return tensor.to(options.dtype.value_or(tensor.scalar_type()));
  }
  const std::string& path() const override { return path_; }
  const std::map<std::string, std::string>& metadata() const override {
    return metadata_;
  }
  void SetMetadata(const std::string& key, const std::string& value) {
    metadata_[key] = value;
  }

 private:
  const std::string path_ = "test";
  std::map<std::string, std::string> metadata_;
  std::map<std::string, at::Tensor> tensors_;
  std::map<std::string, TensorEntry> entries_;
};

// A kohya-style adapter of the tiny model's U-Net and text encoder: random, of
// every layer whose name ends with one of the attention's.
inline FixedTensors TinyLora(int64_t rank, double strength = 0.5) {
  FixedTensors lora;
  for (const auto& [part, prefix] :
       {std::pair("unet/diffusion_pytorch_model.safetensors", "lora_unet_"),
        std::pair("text_encoder/model.safetensors", "lora_te_")}) {
    const auto file =
        SafetensorsFile::Open(absl::StrCat(TinyModelFolder(), "/", part));
    for (const auto& [name, entry] : (*file)->entries()) {
      if (!absl::StrContains(name, "to_q.weight") &&
          !absl::StrContains(name, "to_v.weight") &&
          !absl::StrContains(name, "_proj.weight")) {
        continue;
      }
      const std::string module = absl::StrCat(
          prefix,
          absl::StrReplaceAll(name.substr(0, name.size() - 7), {{".", "_"}}));
      lora.Add(module + ".lora_down.weight",
               at::randn({rank, entry.shape[1]}) * strength);
      lora.Add(module + ".lora_up.weight",
               at::randn({entry.shape[0], rank}) * strength);
    }
  }
  return lora;
}

// As NAME.safetensors in `folder`; returns the path.
inline std::string WriteLora(const TestFolder& folder, const std::string& name,
                             const TensorSource& lora) {
  const std::string path =
      absl::StrCat(folder.path(), "/", name, ".safetensors");
  WriteSafetensors(path, lora, {}).IgnoreError();
  return path;
}

}  // namespace genzo

#endif  // GENZO_TESTS_TESTING_TINY_LORA_H_
