#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/parity/cases.h"
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
  nlohmann::json components = manifest["components"];
  components.erase("textual_inversion");  // files beside the model
  std::string pipeline = manifest["pipeline"];
  // A way to read prompts, not another pipeline.
  if (pipeline == "StableDiffusionLongPromptWeightingPipeline") {
    pipeline = "StableDiffusionPipeline";
  }
  return Assemble(manifest["model"], pipeline, components);
}

absl::StatusOr<const Pipeline*> ModelCache::GetFor(
    const nlohmann::json& manifest) {
  const auto folder = FolderFor(manifest);
  if (!folder.ok()) return folder.status();
  return Load(*folder, *folder);
}

}  // namespace genzo::parity
