#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "ATen/TensorOperators.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/parity/cases.h"
#include "tests/parity/reference_calls.h"
#include "worker/media/pixel_tensors.h"
#include "worker/pipeline/control_networks.h"
#include "worker/pipeline/ip_adapter.h"
#include "worker/pipeline/pipeline_table.h"

namespace genzo::parity {
namespace {

namespace fs = std::filesystem;

constexpr char kScheduler[] = "scheduler";

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

nlohmann::json ListOf(const nlohmann::json& value) {
  return value.is_array() ? value : nlohmann::json::array({value});
}

// Empty where the case replaces nothing.
nlohmann::json ComponentsOf(const nlohmann::json& manifest) {
  const nlohmann::json components =
      manifest.value("components", nlohmann::json());
  return components.is_object() ? components : nlohmann::json::object();
}

// The recorded pictures of one of these names: NAME, or NAME.0, NAME.1 and so
// on, which may be lists themselves, NAME.0.0.
std::vector<std::vector<at::Tensor>> PicturesNamed(
    const Golden& golden, const std::vector<std::string>& names) {
  std::vector<std::vector<at::Tensor>> pictures;
  for (const std::string& name : names) {
    if (golden.Has(name)) return {{golden.Tensor(name)}};
    for (int i = 0;; ++i) {
      const std::string numbered = absl::StrCat(name, ".", i);
      std::vector<at::Tensor> own;
      if (golden.Has(numbered)) own.push_back(golden.Tensor(numbered));
      for (int j = 0; golden.Has(absl::StrCat(numbered, ".", j)); ++j) {
        own.push_back(golden.Tensor(absl::StrCat(numbered, ".", j)));
      }
      if (own.empty()) break;
      pictures.push_back(std::move(own));
    }
    if (!pictures.empty()) return pictures;
  }
  return pictures;
}

// What a control network is shown: a picture, scaled where it is of another
// size, or a tensor as it is, which may have -1 where it is painted.
absl::StatusOr<at::Tensor> HintOf(const Golden& golden,
                                  const std::optional<MaskedCanvas>& canvas,
                                  const at::Tensor& picture) {
  if (picture.scalar_type() == at::kByte &&
      (picture.dim() == 2 || picture.dim() == 3)) {
    return (ToTensor(Fitted(golden, PixelsOf(picture), canvas)) + 1) / 2;
  }
  if (picture.is_floating_point() && picture.dim() == 4) return picture;
  return absl::UnimplementedError("a hint that is no picture");
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
    if (name == kScheduler && path.is_object()) {
      index[name] = {"diffusers", path["_class_name"]};
      fs::create_directories(folder / name);
      std::ofstream(folder / name / "scheduler_config.json") << path.dump();
    } else if (index.contains(name) && path.is_null()) {
      index[name] = {nullptr, nullptr};  // it goes without
    } else if (index.contains(name) && path.is_string()) {
      fs::create_symlink(Path(path), folder / name);
    } else {
      return absl::UnimplementedError(absl::StrCat("component ", name));
    }
  }
  std::ofstream(folder / "model_index.json") << index.dump();
  return folder.string();
}

absl::StatusOr<std::string> ModelCache::ControlFolder(
    const nlohmann::json& manifest, const std::string& relative) {
  const fs::path from = Path(relative);
  const auto read = [](const fs::path& folder) {
    std::ifstream file(folder / "config.json");
    return nlohmann::json::parse(file, nullptr, false);
  };
  nlohmann::json config = read(from);
  if (!config.is_object() || config.value("_class_name", "") != "T2IAdapter" ||
      config.contains("unet")) {
    return from.string();
  }
  // An adapter does not tell which U-Net it is for; here it is the case's.
  const std::string model = manifest["model"];
  const std::string unet =
      ComponentsOf(manifest).value("unet", absl::StrCat(model, "/unet"));
  config["unet"] = read(Path(unet));
  const fs::path folder =
      ScratchFolder() /
      std::to_string(std::hash<std::string>()(absl::StrCat(relative, unet)));
  if (fs::exists(folder)) return folder.string();
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string name = entry.path().filename();
    if (name != "config.json") fs::create_symlink(entry.path(), folder / name);
  }
  std::ofstream(folder / "config.json") << config.dump();
  return folder.string();
}

absl::StatusOr<std::string> ModelCache::FolderFor(
    const nlohmann::json& manifest) {
  // Which networks stand beside it and how it is guided is the request's to
  // say, not the model's. Nor is a way to read prompts another pipeline.
  const std::string pipeline = absl::StrReplaceAll(
      manifest["pipeline"].get<std::string>(), {{"ControlNet", ""},
                                                {"Adapter", ""},
                                                {"PAG", ""},
                                                {"LongPromptWeighting", ""}});
  nlohmann::json components = ComponentsOf(manifest);
  for (const char* beside :
       {"controlnet", "adapter", "ip_adapter", "textual_inversion"}) {
    components.erase(beside);
  }
  if (IsTransformerPipeline(manifest["pipeline"])) {
    // These have no way to walk by another schedule than their own.
    nlohmann::json scheduler = manifest[kScheduler]["config"];
    scheduler["_class_name"] = manifest[kScheduler]["class"];
    components[kScheduler] = std::move(scheduler);
  }
  return Assemble(manifest["model"], pipeline, components);
}

absl::StatusOr<std::vector<ControlHint>> ModelCache::ControlsFor(
    const Golden& golden) {
  const nlohmann::json components = ComponentsOf(golden.manifest);
  const bool adapts = components.contains("adapter");
  std::vector<ControlHint> hints;
  if (!adapts && !components.contains("controlnet")) return hints;
  const nlohmann::json paths =
      ListOf(components[adapts ? "adapter" : "controlnet"]);
  const auto pictures = PicturesNamed(
      golden,
      adapts ? std::vector<std::string>{"input_adapter", "input_adapter_image",
                                        "input_control", "input_image"}
             : std::vector<std::string>{"input_control"});
  if (pictures.size() != paths.size()) {
    return absl::UnimplementedError("as many hints as there are networks");
  }
  const auto canvas = CroppedCanvas(golden);
  if (!canvas.ok()) return canvas.status();
  const ReferenceCall call(golden.manifest);
  const auto* reference = FindReferencePipeline(golden.manifest["pipeline"]);
  const auto number = [&](const char* key, double otherwise, size_t index) {
    const nlohmann::json values =
        ListOf(call.arguments().value(key, nlohmann::json(otherwise)));
    return values[values.size() == 1 ? 0 : index].get<double>();
  };
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto folder = ControlFolder(golden.manifest, paths[i]);
    if (!folder.ok()) return folder.status();
    auto& network = controls_[*folder];
    if (network == nullptr) {
      auto loaded = LoadControl(*folder, placement_);
      if (!loaded.ok()) return loaded.status();
      network = *std::move(loaded);
    }
    auto picture = HintOf(golden, *canvas, pictures[i][0]);
    if (!picture.ok()) return picture.status();
    ControlHint& hint = hints.emplace_back(
        ControlHint{.network = network, .picture = *std::move(picture)});
    if (adapts) {
      hint.weight = number("adapter_conditioning_scale", 1, i);
      hint.end = number("adapter_conditioning_factor", 1, i);
      continue;
    }
    hint.weight =
        number("controlnet_conditioning_scale",
               reference == nullptr ? 1 : reference->control_weight, i);
    hint.begin = number("control_guidance_start", 0, i);
    hint.end = number("control_guidance_end", 1, i);
    hint.guess = call.arguments().value("guess_mode", false);
  }
  return hints;
}

absl::StatusOr<std::vector<PictureInput>> ModelCache::PicturesFor(
    const Golden& golden) {
  const nlohmann::json components = ComponentsOf(golden.manifest);
  if (!components.contains("ip_adapter")) return std::vector<PictureInput>();
  const nlohmann::json paths = ListOf(components["ip_adapter"]);
  auto pictures = PicturesNamed(golden, {"input_ip_adapter_image"});
  if (paths.size() == 1 && pictures.size() > 1) {
    // All are that adapter's.
    for (size_t i = 1; i < pictures.size(); ++i) {
      pictures[0].insert(pictures[0].end(), pictures[i].begin(),
                         pictures[i].end());
    }
    pictures.resize(1);
  }
  if (pictures.size() != paths.size()) {
    return absl::UnimplementedError("a list of pictures for each ip_adapter");
  }
  const nlohmann::json scales = ListOf(golden.manifest.value(
      "ip_adapter_scale", ReferenceCall(golden.manifest)
                              .arguments()
                              .value("ip_adapter_scale", nlohmann::json(1.0))));
  std::vector<PictureInput> inputs;
  for (size_t i = 0; i < paths.size(); ++i) {
    const std::string path = Path(paths[i]);
    auto& adapter = adapters_[path];
    if (adapter == nullptr) {
      auto loaded = IpAdapter::Load(path, placement_);
      if (!loaded.ok()) return loaded.status();
      adapter = *std::move(loaded);
    }
    const nlohmann::json& scale = scales[scales.size() == 1 ? 0 : i];
    if (!scale.is_number()) {
      return absl::UnimplementedError("ip_adapter_scale by block");
    }
    PictureInput& input = inputs.emplace_back(
        PictureInput{.adapter = adapter, .pictures = {}, .weight = scale});
    for (const at::Tensor& picture : pictures[i]) {
      input.pictures.push_back(adapter->Process(PixelsOf(picture)));
    }
  }
  return inputs;
}

absl::StatusOr<const Pipeline*> ModelCache::GetFor(
    const nlohmann::json& manifest) {
  const auto folder = FolderFor(manifest);
  if (!folder.ok()) return folder.status();
  return Load(*folder, *folder);
}

}  // namespace genzo::parity
