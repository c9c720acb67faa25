#include "worker/weights/model_index.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/builtin_documents.h"
#include "worker/weights/single_file/single_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kIndexFile[] = "model_index.json";
// What no index names: a small decoder for previews, a model in its own right.
constexpr char kTiny[] = "tiny_vae";
constexpr char kRefiner[] = "refiner";

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// What is between the name of a file and that of a file in it.
std::string PartPath(const std::string& path, const std::string& component) {
  return absl::StrCat(path, ":", component);
}

// Puts a component of tensors into the index. `folder` may have a better
// configuration than the one that was derived.
void AddPart(const std::string& path, const SingleFilePart& part,
             const std::string& folder, ModelIndex& index) {
  std::map<std::string, std::string> texts;
  std::error_code ignored;
  if (folder.empty() ||
      !fs::exists(fs::path(folder) / "config.json", ignored)) {
    texts["config.json"] = part.config.dump(2);
  }
  index.components[part.component] = part.class_name;
  index.elsewhere.insert_or_assign(
      part.component, ComponentFiles(PartPath(path, part.component),
                                     std::move(texts), part.tensors, folder));
}

// The folder of a component in that of the configuration, or "".
std::string ConfigFolder(const ModelFiles& model,
                         const std::string& component) {
  if (model.config.empty()) return "";
  const std::string folder = (fs::path(model.config) / component).string();
  return IsFolder(folder) ? folder : "";
}

// Class and built-in configuration of a component that the index has not heard
// of.
json KnownComponent(const ModelIndex& index, const std::string& component) {
  for (const char* family :
       {"sd1", "sd2", "sdxl", "sdxl-refiner", "sd3", "flux"}) {
    const json document = FamilyDocument(family);
    const bool is_it = index.family.empty()
                           ? document["pipeline"] == index.pipeline_class
                           : family == index.family;
    if (is_it && document["components"].contains(component)) {
      return document["components"][component];
    }
  }
  return json();
}

// What the model's configuration says of single components.
absl::Status AddParts(const ModelFiles& model, ModelIndex& index) {
  for (const auto& [component, path] : model.parts) {
    if (component == kRefiner &&
        absl::StartsWith(index.pipeline_class, "StableDiffusionXL")) {
      index.refiner = path;
      continue;
    }
    if (component == kTiny) {
      if (!IsFolder(path)) {
        return absl::InvalidArgumentError(absl::StrCat(
            model.path, ": parts.tiny_vae is not a folder: ", path));
      }
      index.elsewhere.insert_or_assign(component, ComponentFiles(path));
      continue;
    }
    const json known = KnownComponent(index, component);
    const auto named = index.components.find(component);
    if (named == index.components.end() && known.is_null()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model.path, ": parts.", component,
                       " is no component of ", index.pipeline_class));
    }
    const std::string class_name = named != index.components.end()
                                       ? named->second
                                       : known["class"].get<std::string>();
    if (IsFolder(path)) {
      index.components[component] = class_name;
      index.elsewhere.insert_or_assign(component, ComponentFiles(path));
      continue;
    }
    const auto tensors = OpenTensorFile(path);
    if (!tensors.ok()) return tensors.status();
    auto part = ReadSingleFilePart(*tensors, component, class_name,
                                   known.is_null()
                                       ? json::object()
                                       : known.value("config", json::object()));
    if (!part.ok()) return part.status();
    AddPart(path, *part, ConfigFolder(model, component), index);
  }
  return absl::OkStatus();
}

// Where a family's files look for what they lack, unless they are told: a
// folder beside them.
std::string FamilyFolder(const std::string& path, const std::string& family) {
  return (fs::path(path).parent_path() / absl::StrCat(family, ".config"))
      .string();
}

// Gives `model` its family's folder where it has no other.
absl::StatusOr<ModelIndex> IndexOfFile(ModelFiles& model) {
  const auto tensors = OpenTensorFile(model.path);
  if (!tensors.ok()) return tensors.status();
  const auto file = ReadSingleFile(*tensors);
  if (!file.ok()) return file.status();
  const std::string beside = FamilyFolder(model.path, file->family);
  if (model.config.empty() && IsFolder(beside)) model.config = beside;
  ModelIndex index;
  std::error_code ignored;
  if (!model.config.empty() &&
      fs::exists(fs::path(model.config) / kIndexFile, ignored)) {
    auto read = ReadModelIndex(model.config);
    if (!read.ok()) return read.status();
    index = *std::move(read);
    for (const auto& component : index.components) {
      const std::string folder = ConfigFolder(model, component.first);
      if (folder.empty()) continue;
      index.elsewhere.insert_or_assign(component.first, ComponentFiles(folder));
    }
  } else {
    index.pipeline_class = file->pipeline_class;
    json contents = file->document.value("settings", json::object());
    contents["_class_name"] = index.pipeline_class;
    index.files = ComponentFiles(model.path, {{kIndexFile, contents.dump(2)}},
                                 /*tensors=*/nullptr, model.config);
  }
  index.folder = model.path;
  index.family = file->family;
  for (const SingleFilePart& part : file->parts) {
    AddPart(model.path, part, ConfigFolder(model, part.component), index);
  }
  for (const auto& [component, known] : file->document["components"].items()) {
    if (index.elsewhere.count(component) > 0) continue;
    const std::string folder = ConfigFolder(model, component);
    std::map<std::string, std::string> texts;
    if (folder.empty() && component == "scheduler") {
      texts["scheduler_config.json"] = file->scheduler.dump(2);
    } else if (folder.empty()) {
      texts = TokenizerTexts(known);
      if (texts.empty()) continue;
    }
    index.components[component] = known["class"];
    index.elsewhere.insert_or_assign(
        component,
        folder.empty()
            ? ComponentFiles(PartPath(model.path, component), std::move(texts),
                             /*tensors=*/nullptr, /*folder=*/"")
            : ComponentFiles(folder));
  }
  const std::string tiny = ConfigFolder(model, kTiny);
  if (!tiny.empty()) index.elsewhere.insert_or_assign(kTiny, tiny);
  index.refiner = ConfigFolder(model, kRefiner);
  return index;
}

}  // namespace

absl::StatusOr<ModelIndex> ReadModelIndex(const std::string& folder) {
  if (!IsFolder(folder)) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder, " does not exist"));
  }
  auto config = JsonConfig::ReadFile((fs::path(folder) / kIndexFile).string());
  if (!config.ok()) return config.status();
  ModelIndex index;
  index.folder = folder;
  index.files = ComponentFiles(folder);
  const std::string refiner = (fs::path(folder) / kRefiner).string();
  if (IsFolder(refiner)) index.refiner = refiner;
  index.pipeline_class = config->String("_class_name", "");
  if (!config->status().ok()) return config->status();
  for (const auto& [name, value] : config->object().items()) {
    const bool is_component = value.is_array() && value.size() == 2 &&
                              value[0].is_string() && value[1].is_string();
    if (is_component) index.components[name] = value[1].get<std::string>();
  }
  return index;
}

absl::StatusOr<ModelIndex> OpenModelIndex(const ModelFiles& files) {
  ModelFiles model = files;
  std::error_code ignored;
  const bool is_file = fs::is_regular_file(model.path, ignored);
  auto index = is_file ? IndexOfFile(model) : ReadModelIndex(model.path);
  if (!index.ok()) return index;
  const absl::Status added = AddParts(model, *index);
  if (!added.ok()) return added;
  return index;
}

bool ModelIndex::Has(const std::string& component) const {
  return components.count(component) > 0 &&
         (elsewhere.count(component) > 0 ||
          IsFolder(FilesOf(component).path()));
}

std::string ModelIndex::KeyOf(const std::string& kind,
                              const std::vector<std::string>& names,
                              const Placement& placement) const {
  std::string key = absl::StrCat(kind, ";", placement.device.str(), ";",
                                 c10::toString(placement.dtype));
  for (const std::string& name : names) {
    const std::string files = FilesOf(name).Identity();
    if (files.empty()) return "";
    absl::StrAppend(&key, "\n", KindOf(name), ":", files);
  }
  return key;
}

ComponentFiles ModelIndex::FilesOf(const std::string& component) const {
  const auto found = elsewhere.find(component);
  ComponentFiles files =
      found != elsewhere.end()
          ? found->second
          : ComponentFiles((fs::path(folder) / component).string());
  if (pool != nullptr && components.count(component) > 0) {
    files.ShareIn(pool, KindOf(component));
  }
  return files;
}

std::string ModelIndex::KindOf(const std::string& component) const {
  const auto found = components.find(component);
  if (found == components.end()) return component;
  // Families have one T5 and one autoencoder, under names of their own, but
  // SD3's two CLIP encoders are of one class and may lie in one file.
  const bool one_of_two = absl::StartsWith(found->second, "CLIP");
  return one_of_two ? absl::StrCat(found->second, " ", component)
                    : found->second;
}

absl::StatusOr<ComponentFiles> ModelIndex::Component(
    const std::string& component, const std::string& expected_class) const {
  const auto found = components.find(component);
  const bool is_file = !elsewhere.empty() && !IsFolder(folder);
  const std::string where =
      is_file ? folder : absl::StrCat(folder, "/", kIndexFile);
  if (found == components.end()) {
    return absl::NotFoundError(absl::StrCat(
        where, ": component ", component, " is missing",
        is_file
            ? absl::StrCat("; name a file or folder that has it under parts: "
                           "or one of the whole family as config:, by default ",
                           FamilyFolder(folder, family))
            : ""));
  }
  if (found->second != expected_class) {
    return absl::UnimplementedError(
        absl::StrCat(where, ": component ", component, " has class ",
                     found->second, ", not ", expected_class));
  }
  ComponentFiles files = FilesOf(component);
  if (elsewhere.count(component) == 0 && !IsFolder(files.path())) {
    return absl::NotFoundError(
        absl::StrCat("component folder ", files.path(), " does not exist"));
  }
  return files;
}

}  // namespace genzo
