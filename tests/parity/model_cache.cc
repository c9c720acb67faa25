#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/parity/cases.h"
#include "worker/pipeline/control_networks.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo::parity {
namespace {

namespace fs = std::filesystem;

// Removed when the program ends.
const fs::path& ScratchFolder() {
  struct Scratch {
    Scratch() {
      std::string name = fs::temp_directory_path() / "genzo_parity_XXXXXX";
      if (mkdtemp(name.data()) != nullptr) path = name;
    }
    ~Scratch() {
      std::error_code ignored;
      if (!path.empty()) fs::remove_all(path, ignored);
    }
    fs::path path;
  };
  static const Scratch scratch;
  return scratch.path;
}

}  // namespace

std::string ModelCache::Path(const std::string& relative) const {
  return fs::absolute(fs::path(reference_folder_) / relative).string();
}

absl::StatusOr<const Pipeline*> ModelCache::Load(const std::string& name,
                                                 const std::string& folder) {
  auto found = models_.find(name);
  if (found == models_.end()) {
    found = models_.emplace(name, LoadPipeline(folder, placement_)).first;
  }
  if (!found->second.ok()) return found->second.status();
  return found->second->get();
}

absl::StatusOr<const StableDiffusion*> ModelCache::Get(
    const std::string& relative) {
  const auto pipeline = Load(relative, Path(relative));
  if (!pipeline.ok()) return pipeline.status();
  const auto* model = dynamic_cast<const StableDiffusion*>(*pipeline);
  if (model == nullptr) return absl::UnimplementedError("another family");
  return model;
}

absl::StatusOr<std::string> ModelCache::Assemble(
    const std::string& relative, const std::string& pipeline_class,
    const nlohmann::json& components) {
  const fs::path from = Path(relative);
  std::ifstream file(from / "model_index.json");
  nlohmann::json index = nlohmann::json::parse(file, nullptr, false);
  if (!index.is_object()) return absl::NotFoundError("no model_index.json");
  index["_class_name"] = pipeline_class;
  const fs::path folder =
      ScratchFolder() / std::to_string(std::hash<std::string>()(absl::StrCat(
                            relative, pipeline_class, components.dump())));
  if (fs::exists(folder)) return folder.string();
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (name == "model_index.json" || components.contains(name)) continue;
    fs::create_symlink(entry.path(), folder / name);
  }
  for (const auto& [name, path] : components.items()) {
    if (!index.contains(name) || !path.is_string()) {
      return absl::UnimplementedError(absl::StrCat("component ", name));
    }
    fs::create_symlink(Path(path), folder / name);
  }
  std::ofstream(folder / "model_index.json") << index.dump();
  return folder.string();
}

absl::StatusOr<std::string> ModelCache::FolderFor(
    const nlohmann::json& manifest) {
  // Which control networks there are is the request's to say, not the model's.
  // Nor is a way to read prompts another pipeline.
  const std::string pipeline =
      absl::StrReplaceAll(manifest["pipeline"].get<std::string>(),
                          {{"ControlNet", ""}, {"LongPromptWeighting", ""}});
  nlohmann::json components = manifest["components"];
  for (const char* beside : {"controlnet", "ip_adapter", "textual_inversion"}) {
    if (components.is_object()) components.erase(beside);
  }
  return Assemble(manifest["model"], pipeline, components);
}

absl::StatusOr<std::vector<ControlHint>> ModelCache::ControlsFor(
    const Golden& golden) {
  const nlohmann::json& manifest = golden.manifest;
  const auto list = [](const nlohmann::json& value) {
    return value.is_array() ? value : nlohmann::json::array({value});
  };
  std::vector<ControlHint> hints;
  if (!manifest["components"].contains("controlnet")) return hints;
  const nlohmann::json paths = list(manifest["components"]["controlnet"]);
  const nlohmann::json& call = manifest["call"];
  const auto number = [&](const char* key, double otherwise, size_t index) {
    const nlohmann::json values =
        list(call.value(key, nlohmann::json(otherwise)));
    return values[values.size() == 1 ? 0 : index].get<double>();
  };
  for (size_t i = 0; i < paths.size(); ++i) {
    auto& network = controls_[paths[i].get<std::string>()];
    if (network == nullptr) {
      auto loaded = LoadControl(Path(paths[i]), placement_);
      if (!loaded.ok()) return loaded.status();
      network = *std::move(loaded);
    }
    const at::Tensor picture =
        golden.Tensor(paths.size() == 1 ? "input_control"
                                        : absl::StrCat("input_control.", i));
    hints.push_back(
        {.network = network,
         .picture =
             picture.permute({2, 0, 1}).unsqueeze(0).to(at::kFloat) / 255,
         .weight = number("controlnet_conditioning_scale", 1, i),
         .begin = number("control_guidance_start", 0, i),
         .end = number("control_guidance_end", 1, i),
         .guess = call.value("guess_mode", false)});
  }
  return hints;
}

absl::StatusOr<std::vector<PictureInput>> ModelCache::PicturesFor(
    const Golden& golden) {
  const nlohmann::json& components = golden.manifest["components"];
  if (!components.contains("ip_adapter")) return std::vector<PictureInput>();
  const std::string path = components["ip_adapter"];
  auto& adapter = adapters_[path];
  if (adapter == nullptr) {
    auto loaded = IpAdapter::Load(Path(path), placement_);
    if (!loaded.ok()) return loaded.status();
    adapter = *std::move(loaded);
  }
  const Pixels pixels = PixelsOf(golden.Tensor("input_ip_adapter_image"));
  return std::vector<PictureInput>{
      {.adapter = adapter,
       .pictures = {adapter->Process(pixels)},
       .weight = golden.manifest.value("ip_adapter_scale", 1.0)}};
}

absl::StatusOr<const Pipeline*> ModelCache::GetFor(
    const nlohmann::json& manifest) {
  const auto folder = FolderFor(manifest);
  if (!folder.ok()) return folder.status();
  return Load(*folder, *folder);
}

}  // namespace genzo::parity
