#include "tests/parity/cases.h"
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
  const auto all = list->is_array() ? *list : nlohmann::json::array({*list});
  for (const nlohmann::json& entry : all) {
    const std::string path = models.Path(entry["file"]);
    const auto file = SafetensorsFile::Open(path);
    if (!file.ok()) return file.status();
    const auto adapter = LoraAdapter::Load(**file, *pipeline.adapter_targets(),
                                           pipeline.placement());
    if (!adapter.ok()) return adapter.status();
    const double scale = entry["scale"];
    uses.push_back({.adapter = *adapter,
                    .id = path,
                    .weight = scale,
                    .text_encoder_weight = scale});
  }
  return uses;
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
