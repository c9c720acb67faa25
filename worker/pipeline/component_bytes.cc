#include "worker/pipeline/component_bytes.h"

#include <filesystem>
#include <string>
#include <vector>

#include "ATen/ops/empty.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "worker/codec/autoencoder_kl_codec.h"
#include "worker/nn/layers.h"
#include "worker/nn/upsample_2d.h"
#include "worker/weights/json_config.h"

namespace genzo {
namespace {

// Of the tensors of `files` whose names begin with `prefix`, when modules are
// built of them.
absl::StatusOr<int64_t> BytesIn(const ComponentFiles& files,
                                const std::string& prefix,
                                const Placement& placement) {
  const auto tensors = files.OpenTensors();
  if (!tensors.ok()) return tensors.status();
  const at::Tensor example = at::empty(
      {1}, at::TensorOptions(placement.device).dtype(placement.dtype));
  int64_t elements = 0;
  for (const auto& [name, entry] : (*tensors)->entries()) {
    if (!c10::isFloatingType(entry.dtype) || !absl::StartsWith(name, prefix)) {
      continue;
    }
    elements += entry.elements() +
                Conv2d::ElementsMade(name, entry.shape, example) +
                Upsample2D::ElementsMade(name, entry.elements(), example);
  }
  return elements * static_cast<int64_t>(c10::elementSize(placement.dtype));
}

// The tokenizer of a text encoder, by name; empty for other components.
std::string TokenizerOf(std::string component) {
  const int found =
      absl::StrReplaceAll({{"text_encoder", "tokenizer"}}, &component);
  return found > 0 ? component : "";
}

// What a network cannot do without beside its tensors.
absl::Status CheckSmallFiles(const ModelIndex& index,
                             const std::string& component) {
  const auto config =
      JsonConfig::ReadFile(index.FilesOf(component).At("config.json"));
  if (!config.ok()) return config.status();
  const std::string tokenizer = TokenizerOf(component);
  if (tokenizer.empty()) return absl::OkStatus();
  return index.Component(tokenizer, index.ClassOf(tokenizer)).status();
}

// What models that share the component have equal, if it is one that they do:
// see ClipTower::Load() and T5Tower::Load().
std::string SharedKey(const ModelIndex& index, const std::string& component,
                      const Placement& placement) {
  const std::string class_name = index.ClassOf(component);
  if (absl::StartsWith(class_name, "CLIPTextModel")) {
    return index.KeyOf("clip", {TokenizerOf(component), component}, placement);
  }
  return class_name == "T5EncoderModel"
             ? index.KeyOf("t5", {component}, placement)
             : "";
}

ModelBytes PartBytes(int64_t bytes, const std::string& key) {
  ModelBytes part = bytes;
  if (!key.empty()) part.shared[key] = bytes;
  return part;
}

}  // namespace

absl::StatusOr<ModelBytes> ComponentBytes(
    const ModelIndex& index, absl::Span<const char* const> components,
    const Placement& placement) {
  ModelBytes bytes;
  for (const char* component : components) {
    // First: of a part that a file lacks it tells how to give it.
    const auto files = index.Component(component, index.ClassOf(component));
    if (!files.ok()) return files.status();
    const auto counted = BytesIn(*files, /*prefix=*/"", placement);
    if (!counted.ok()) return counted.status();
    const absl::Status sound = CheckSmallFiles(index, component);
    if (!sound.ok()) return sound;
    bytes += PartBytes(*counted, SharedKey(index, component, placement));
  }
  return bytes;
}

absl::StatusOr<ModelBytes> CodecBytes(const ModelIndex& index,
                                      const Placement& placement) {
  const auto own = AutoencoderKLCodec::PlacementOf(index, placement);
  if (!own.ok()) return own.status();
  auto bytes = BytesIn(index.FilesOf("vae"), /*prefix=*/"", *own);
  if (!bytes.ok()) return bytes.status();
  std::vector<std::string> names = {"vae"};
  const std::string tiny = AutoencoderKLCodec::kTinyFolder;
  if (std::filesystem::exists(index.FilesOf(tiny).path())) {
    names.push_back(tiny);
    const auto small = BytesIn(index.FilesOf(tiny), "decoder.", placement);
    if (!small.ok()) return small.status();
    *bytes += *small;
  }
  // Pipelines differ in what they read of its configuration; those of one
  // class do not.
  return PartBytes(*bytes, index.KeyOf(index.pipeline_class, names, placement));
}

}  // namespace genzo
