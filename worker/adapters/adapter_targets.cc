#include "worker/adapters/adapter_targets.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "worker/adapters/lora_names.h"

namespace genzo {
namespace {

constexpr char kWeight[] = ".weight";
constexpr char kTextModel[] = "text_model.";

std::string Flat(const std::string& name) {
  return absl::StrReplaceAll(name, {{".", "_"}});
}

bool IsLayer(const std::string& name, const TensorEntry& entry,
             const std::vector<std::string>& without) {
  return absl::EndsWith(name, kWeight) &&
         (entry.shape.size() == 2 || entry.shape.size() == 4) &&
         c10::isFloatingType(entry.dtype) &&
         std::none_of(without.begin(), without.end(),
                      [&](const std::string& prefix) {
                        return absl::StartsWith(name, prefix);
                      });
}

// What the original code's tensors would be, made of these.
Entries OriginalEntries(const NameRules& rules, const Entries& entries) {
  Entries original;
  for (const auto& [name, recipe] : ToOriginal(rules, entries, "")) {
    TensorEntry& made = original[name];
    for (const TensorRecipe::Piece& piece : recipe.pieces) {
      const auto found = entries.find(piece.name);
      if (found == entries.end()) continue;
      const std::vector<int64_t>& shape = found->second.shape;
      const int64_t rows =
          piece.rows >= 0 || shape.empty() ? piece.rows : shape[0];
      if (made.shape.empty()) {
        made = found->second;
        if (!made.shape.empty()) made.shape[0] = 0;
      }
      if (!made.shape.empty()) made.shape[0] += rows;
    }
    if (!recipe.new_shape.empty()) made.shape = recipe.new_shape;
  }
  return original;
}

}  // namespace

void AdapterTargets::AddLayer(const std::string& component,
                              const std::string& name, const std::string& layer,
                              const TensorEntry& entry, int64_t outputs,
                              const std::vector<Span>& spans) {
  Module& module = modules_[{component, Flat(name)}];
  module.component = component;
  module.outputs = outputs;
  module.inputs.assign(entry.shape.begin() + 1, entry.shape.end());
  module.layers.push_back({layer, spans});
}

void AdapterTargets::Add(const std::string& component,
                         const std::shared_ptr<const TensorSource>& tensors,
                         const std::vector<std::string>& without) {
  tensors_[component] = tensors;
  for (const auto& [name, entry] : tensors->entries()) {
    if (!IsLayer(name, entry, without)) continue;
    const std::string layer(absl::StripSuffix(name, kWeight));
    const int64_t outputs = entry.shape[0];
    AddLayer(component, layer, layer, entry, outputs, {{0, outputs}});
    // Of a text encoder; files differ in whether they say so.
    if (!absl::StartsWith(layer, kTextModel)) continue;
    AddLayer(component, std::string(absl::StripPrefix(layer, kTextModel)),
             layer, entry, outputs, {{0, outputs}});
  }
}

void AdapterTargets::AddNames(const std::string& component,
                              const NameRules& rules) {
  const Entries& entries = tensors_.at(component)->entries();
  const Entries original = OriginalEntries(rules, entries);
  for (const auto& [name, recipe] : ToDiffusers(rules, original, "")) {
    const auto entry = entries.find(name);
    const std::string layer(absl::StripSuffix(name, kWeight));
    if (entry == entries.end() || layer == name || recipe.transposed ||
        recipe.pieces.empty() || recipe.pieces[0].name == name ||
        modules_.count({component, Flat(layer)}) == 0) {
      continue;
    }
    const std::string& theirs = recipe.pieces[0].name;
    const int64_t outputs = original.at(theirs).shape[0];
    std::vector<Span> spans;
    for (const TensorRecipe::Piece& piece : recipe.pieces) {
      spans.push_back({piece.begin, piece.rows < 0 ? outputs : piece.rows});
    }
    AddLayer(component, std::string(absl::StripSuffix(theirs, kWeight)), layer,
             entry->second, outputs, spans);
  }
}

const AdapterTargets::Module* AdapterTargets::Find(
    const std::string& name, std::string& component) const {
  const auto places = LoraPlaces(name);
  component = places[0].first;
  for (const auto& [where, module] : places) {
    const auto found = modules_.find({where, module});
    if (found != modules_.end()) return &found->second;
  }
  return nullptr;
}

absl::StatusOr<at::Tensor> AdapterTargets::Weight(
    const std::string& component, const std::string& layer) const {
  const auto read = tensors_.at(component)->Read(absl::StrCat(layer, kWeight),
                                                 {.dtype = at::kFloat});
  if (!read.ok()) return read.status();
  return read->cpu();
}

}  // namespace genzo
