#include "worker/weights/component_folder.h"

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/sharded_tensors.h"

namespace genzo {

namespace fs = std::filesystem;

absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensors(
    const std::string& component_folder) {
  // diffusers' and transformers' names; both puts of the variant in an index's
  // name are about.
  static constexpr const char* kNames[] = {
      "diffusion_pytorch_model.safetensors",
      "model.safetensors",
      "diffusion_pytorch_model.safetensors.index.json",
      "model.safetensors.index.json",
      "diffusion_pytorch_model.fp16.safetensors",
      "model.fp16.safetensors",
      "diffusion_pytorch_model.safetensors.index.fp16.json",
      "model.safetensors.index.fp16.json",
      "diffusion_pytorch_model.fp16.safetensors.index.json",
      "model.fp16.safetensors.index.json"};
  std::error_code ignored;
  for (const char* name : kNames) {
    const fs::path path = fs::path(component_folder) / name;
    if (!fs::exists(path, ignored)) continue;
    if (path.extension() == ".json") return ShardedTensors::Open(path.string());
    return SafetensorsFile::Open(path.string());
  }
  bool has_pickles = false;
  for (const auto& entry : fs::directory_iterator(component_folder, ignored)) {
    has_pickles = has_pickles || entry.path().extension() == ".bin";
  }
  return absl::NotFoundError(
      absl::StrCat(component_folder, ": no ", kNames[0], " or ", kNames[1],
                   has_pickles ? "; pickled weights (.bin) are not read" : ""));
}

absl::StatusOr<Weights> OpenWeights(const std::string& component_folder,
                                    at::ScalarType dtype, at::Device device) {
  auto tensors = OpenTensors(component_folder);
  if (!tensors.ok()) return tensors.status();
  return Weights(*std::move(tensors), dtype, device);
}

}  // namespace genzo
