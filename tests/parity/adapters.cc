#include <algorithm>

#include "tests/parity/cases.h"
#include "tests/parity/lora_scales.h"
#include "tests/parity/reference_calls.h"
#include "worker/weights/safetensors.h"

namespace genzo::parity {

absl::StatusOr<AdapterUses> AdaptersFor(const nlohmann::json& manifest,
                                        const ModelCache& models,
                                        const Pipeline& pipeline) {
  AdapterUses uses;
  const auto list = manifest.find("lora");
  if (list == manifest.end() || list->is_null()) return uses;
  if (pipeline.adapter_targets() == nullptr) {
    return absl::UnimplementedError("LoRA of this family");
  }
  const double factor = ReferenceCall(manifest).lora_scale();
  const auto all = list->is_array() ? *list : nlohmann::json::array({*list});
  for (const nlohmann::json& entry : all) {
    const std::string path = models.Path(entry["file"]);
    const auto file = SafetensorsFile::Open(path);
    if (!file.ok()) return file.status();
    const auto adapter = LoraAdapter::Load(**file, *pipeline.adapter_targets(),
                                           pipeline.placement());
    if (!adapter.ok()) return adapter.status();
    AdapterUse use = {.adapter = *adapter, .id = path};
    const absl::Status scaled =
        SetLoraScales(entry.value("scale", nlohmann::json(1.0)), factor,
                      pipeline.denoiser().IdleLayers(), use);
    if (!scaled.ok()) return scaled;
    uses.push_back(std::move(use));
  }
  return uses;
}

bool ByBlock(const AdapterUses& uses) {
  return std::any_of(uses.begin(), uses.end(),
                     [](const AdapterUse& use) { return !use.blocks.empty(); });
}

std::shared_ptr<const AdapterSet> DenoiserAdapters(const AdapterUses& uses) {
  if (uses.empty()) return nullptr;
  auto set = std::make_shared<AdapterSet>();
  for (const AdapterUse& use : uses) {
    use.adapter->AddTo(
        "denoiser", [&](const std::string& /*layer*/) { return use.weight; },
        *set);
  }
  return set;
}

}  // namespace genzo::parity
