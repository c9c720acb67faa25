#include "worker/weights/component_folder.h"

#include <filesystem>
#include <vector>

#include "absl/strings/str_cat.h"
#include "worker/weights/safetensors.h"
#include "worker/weights/scaled_tensors.h"
#include "worker/weights/sharded_tensors.h"

namespace genzo {

namespace fs = std::filesystem;

namespace {

// diffusers' and transformers' names, the best first; both puts of the variant
// in an index's name are about.
const std::vector<std::string>& UsualNames() {
  static const auto* const names = [] {
    auto* const made = new std::vector<std::string>();
    for (const std::string variant : {"", ".fp32", ".fp16", ".bf16"}) {
      const std::string ends[] = {variant + ".safetensors",
                                  ".safetensors.index" + variant + ".json",
                                  variant + ".safetensors.index.json"};
      for (const std::string& end : ends) {
        for (const char* stem : {"diffusion_pytorch_model", "model"}) {
          made->push_back(stem + end);
        }
      }
    }
    return made;
  }();
  return *names;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const TensorSource>> OpenTensors(
    const std::string& component_folder) {
  std::error_code ignored;
  for (const std::string& name : UsualNames()) {
    const fs::path path = fs::path(component_folder) / name;
    if (!fs::exists(path, ignored)) continue;
    if (path.extension() == ".json") {
      return WithTrueValues(ShardedTensors::Open(path.string()));
    }
    return WithTrueValues(SafetensorsFile::Open(path.string()));
  }
  bool has_pickles = false;
  for (const auto& entry : fs::directory_iterator(component_folder, ignored)) {
    has_pickles = has_pickles || entry.path().extension() == ".bin";
  }
  return absl::NotFoundError(absl::StrCat(
      component_folder, ": no ", UsualNames()[0], " or ", UsualNames()[1],
      has_pickles ? "; pickled weights (.bin) are not read" : ""));
}

absl::StatusOr<Weights> OpenWeights(const std::string& component_folder,
                                    at::ScalarType dtype, at::Device device) {
  auto tensors = OpenTensors(component_folder);
  if (!tensors.ok()) return tensors.status();
  return Weights(*std::move(tensors), dtype, device);
}

}  // namespace genzo
