#include "worker/weights/model_index.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "worker/weights/json_config.h"
#include "worker/weights/single_file/builtin_documents.h"
#include "worker/weights/single_file/single_file.h"
#include "worker/weights/single_file/tiny_file.h"

namespace genzo {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kIndexFile[] = "model_index.json";
constexpr char kSettingsFile[] = "genzo.json";
constexpr char kConfigFile[] = "config.json";
constexpr char kSchedulerFile[] = "scheduler_config.json";
// What no index names: a small decoder for previews, a model in its own right.
constexpr char kTiny[] = "tiny_vae";
constexpr char kRefiner[] = "refiner";
constexpr char kDepthEstimator[] = "depth_estimator";

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// What is between the name of a file and that of a file in it.
std::string PartPath(const std::string& path, const std::string& component) {
  return absl::StrCat(path, ":", component);
}

// Puts a component of tensors into the index. A config.json in the folder
// `named` counts before what was derived; other small files lie in `folder`.
void AddPart(const std::string& path, const SingleFilePart& part,
             const std::string& folder, const std::string& named,
             ModelIndex& index) {
  std::map<std::string, std::string> texts;
  std::error_code ignored;
  if (named.empty() || !fs::exists(fs::path(named) / kConfigFile, ignored)) {
    texts[kConfigFile] = part.config.dump(2);
  }
  index.components[part.component] = part.class_name;
  index.elsewhere.insert_or_assign(
      part.component, ComponentFiles(PartPath(path, part.component),
                                     std::move(texts), part.tensors, folder));
}

// Folders of what a single file cannot say or lacks; those in front count
// first.
using ConfigFolders = std::vector<std::string>;

// The first that has `name`, or "".
std::string FolderWith(const ConfigFolders& folders, const char* name) {
  std::error_code ignored;
  for (const std::string& folder : folders) {
    if (fs::exists(fs::path(folder) / name, ignored)) return folder;
  }
  return "";
}

// The folder of a component in them, or "".
std::string ConfigFolder(const ConfigFolders& folders,
                         const std::string& component) {
  for (const std::string& config : folders) {
    std::string folder = (fs::path(config) / component).string();
    if (IsFolder(folder)) return folder;
  }
  return "";
}

// Class and built-in configuration of a component that the index has not heard
// of.
json KnownComponent(const ModelIndex& index, const std::string& component) {
  if (component == kDepthEstimator && index.pipeline_class == kDepthPipeline) {
    return {{"class", kDepthClass}};
  }
  for (const char* family : {"sd1", "sd2", "sd-x4-upscaler", "sdxl",
                             "sdxl-refiner", "sd3", "flux"}) {
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
absl::Status AddParts(const ModelFiles& model, const ConfigFolders& configs,
                      ModelIndex& index) {
  for (const auto& [component, path] : model.parts) {
    if (component == kRefiner &&
        absl::StartsWith(index.pipeline_class, "StableDiffusionXL")) {
      index.refiner = path;
      continue;
    }
    if (component == kTiny) {
      const auto tiny = OpenTinyDecoder(path);
      if (!tiny.ok()) return tiny.status();
      index.elsewhere.insert_or_assign(component, *tiny);
      continue;
    }
    const json known = KnownComponent(index, component);
    std::string class_name = index.ClassOf(component);
    if (class_name.empty() && known.is_null()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model.path, ": parts.", component,
                       " is no component of ", index.pipeline_class));
    }
    if (class_name.empty()) class_name = known["class"].get<std::string>();
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
    const std::string folder = ConfigFolder(configs, component);
    AddPart(path, *part, folder, /*named=*/folder, index);
  }
  return absl::OkStatus();
}

// Where a family's files look for what they lack and were not told: a folder
// beside them.
std::string FamilyFolder(const std::string& path, const std::string& family) {
  return (fs::path(path).parent_path() / absl::StrCat(family, ".config"))
      .string();
}

// What the family's folder says of components.
absl::StatusOr<ComponentConfigs> ConfigsIn(const std::string& folder,
                                           const SingleFile& file) {
  ComponentConfigs configs;
  for (const auto& known : file.document["components"].items()) {
    const fs::path path =
        fs::path(folder) / known.key() /
        (IsScheduler(known.key()) ? kSchedulerFile : kConfigFile);
    std::error_code ignored;
    if (!fs::exists(path, ignored)) continue;
    auto config = JsonConfig::ReadFile(path.string());
    if (!config.ok()) return config.status();
    configs[known.key()] = config->object();
  }
  return configs;
}

// What the file is, with the help of its family's folder, which is added to
// `configs` if there is one.
absl::StatusOr<SingleFile> ReadWithFamily(const std::string& path,
                                          ConfigFolders& configs) {
  const auto tensors = OpenTensorFile(path);
  if (!tensors.ok()) return tensors.status();
  auto file = ReadSingleFile(*tensors);
  if (!file.ok()) return file;
  const std::string beside = FamilyFolder(path, file->family);
  if (!IsFolder(beside)) return file;
  const auto published = ConfigsIn(beside, *file);
  if (!published.ok()) return published.status();
  configs.push_back(beside);
  return ReadSingleFile(*tensors, *published);
}

// The index that a folder lends, or one of what the file shows. A file's class
// is its own unless a folder that was `named` for it says another: one that
// lies beside all of a family has no channels of a mask.
absl::StatusOr<ModelIndex> BorrowIndex(const std::string& path,
                                       const SingleFile& file,
                                       const ConfigFolders& named,
                                       const ConfigFolders& configs) {
  ModelIndex index;
  const std::string indexed = FolderWith(configs, kIndexFile);
  if (indexed.empty()) {
    json contents = file.document.value("settings", json::object());
    contents["_class_name"] = file.pipeline_class;
    index.files =
        ComponentFiles(path, {{kIndexFile, contents.dump(2)}},
                       /*tensors=*/nullptr, FolderWith(configs, kSettingsFile));
  } else {
    auto read = ReadModelIndex(indexed);
    if (!read.ok()) return read;
    index = *std::move(read);
    for (const auto& component : index.components) {
      const std::string folder = ConfigFolder(configs, component.first);
      if (folder.empty()) continue;
      index.elsewhere.insert_or_assign(component.first, ComponentFiles(folder));
    }
  }
  if (FolderWith(named, kIndexFile).empty()) {
    index.pipeline_class = file.pipeline_class;
  }
  return index;
}

// A walk's settings, as a folder that was `named` for the file has them, else
// as the file was read.
void AddScheduler(const std::string& path, const std::string& component,
                  const json& config, const json& known,
                  const ConfigFolders& named, ModelIndex& index) {
  const std::string folder = ConfigFolder(named, component);
  if (!folder.empty()) {
    index.components.emplace(component, known["class"]);
    index.elsewhere.insert_or_assign(component, ComponentFiles(folder));
    return;
  }
  const json class_name = config.value("_class_name", known["class"]);
  index.components[component] =
      class_name.is_string() ? class_name : known["class"];
  index.elsewhere.insert_or_assign(
      component, ComponentFiles(PartPath(path, component),
                                {{kSchedulerFile, config.dump(2)}},
                                /*tensors=*/nullptr, /*folder=*/""));
}

absl::StatusOr<ModelIndex> IndexOfFile(const std::string& path,
                                       ConfigFolders& configs) {
  const ConfigFolders named = configs;
  const auto file = ReadWithFamily(path, configs);
  if (!file.ok()) return file.status();
  auto borrowed = BorrowIndex(path, *file, named, configs);
  if (!borrowed.ok()) return borrowed;
  ModelIndex index = *std::move(borrowed);
  index.folder = path;
  index.family = file->family;
  for (const SingleFilePart& part : file->parts) {
    AddPart(path, part, ConfigFolder(configs, part.component),
            ConfigFolder(named, part.component), index);
  }
  for (const auto& [component, known] : file->document["components"].items()) {
    if (IsScheduler(component)) {
      AddScheduler(path, component,
                   component == "scheduler" ? file->scheduler : known["config"],
                   known, named, index);
      continue;
    }
    if (index.elsewhere.count(component) > 0) continue;
    const std::string folder = ConfigFolder(configs, component);
    std::map<std::string, std::string> texts;
    if (folder.empty()) {
      texts = TokenizerTexts(known);
      if (texts.empty()) continue;
    }
    index.components[component] = known["class"];
    index.elsewhere.insert_or_assign(
        component,
        folder.empty()
            ? ComponentFiles(PartPath(path, component), std::move(texts),
                             /*tensors=*/nullptr, /*folder=*/"")
            : ComponentFiles(folder));
  }
  const std::string tiny = ConfigFolder(configs, kTiny);
  if (!tiny.empty()) index.elsewhere.insert_or_assign(kTiny, tiny);
  index.refiner = ConfigFolder(configs, kRefiner);
  return index;
}

}  // namespace

absl::StatusOr<ModelIndex> ParseModelIndex(const TextFile& file) {
  auto config = JsonConfig::ReadFile(file);
  if (!config.ok()) return config.status();
  ModelIndex index;
  index.pipeline_class = config->ClassName("");
  if (index.pipeline_class.empty()) {
    config->Fail(absl::StatusCode::kInvalidArgument, "_class_name",
                 "is not the class of a pipeline");
  }
  if (!config->status().ok()) return config->status();
  for (const auto& [name, value] : config->object().items()) {
    const bool is_component = value.is_array() && value.size() == 2 &&
                              value[0].is_string() && value[1].is_string();
    if (is_component) index.components[name] = value[1].get<std::string>();
  }
  return index;
}

absl::StatusOr<ModelIndex> ReadModelIndex(const std::string& folder) {
  if (!IsFolder(folder)) {
    return absl::NotFoundError(
        absl::StrCat("model folder ", folder, " does not exist"));
  }
  auto index = ParseModelIndex((fs::path(folder) / kIndexFile).string());
  if (!index.ok()) return index;
  index->folder = folder;
  index->files = ComponentFiles(folder);
  const std::string refiner = (fs::path(folder) / kRefiner).string();
  if (IsFolder(refiner)) index->refiner = refiner;
  return index;
}

absl::StatusOr<ModelIndex> OpenModelIndex(const ModelFiles& files) {
  ConfigFolders configs;
  if (!files.config.empty()) configs.push_back(files.config);
  std::error_code ignored;
  auto index = fs::is_regular_file(files.path, ignored)
                   ? IndexOfFile(files.path, configs)
                   : ReadModelIndex(files.path);
  if (!index.ok()) return index;
  const absl::Status added = AddParts(files, configs, *index);
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
  if (heads_only) files.LeaveValues();
  return files;
}

std::string ModelIndex::ClassOf(const std::string& component) const {
  const auto found = components.find(component);
  return found == components.end() ? "" : found->second;
}

std::string ModelIndex::KindOf(const std::string& component) const {
  const std::string class_name = ClassOf(component);
  if (class_name.empty()) return component;
  // Families have one T5 and one autoencoder, under names of their own, but
  // SD3's two CLIP encoders are of one class and may lie in one file.
  const bool one_of_two = absl::StartsWith(class_name, "CLIP");
  return one_of_two ? absl::StrCat(class_name, " ", component) : class_name;
}

absl::StatusOr<ComponentFiles> ModelIndex::Component(
    const std::string& component, const std::string& expected_class) const {
  const auto found = components.find(component);
  const bool is_file = !elsewhere.empty() && !IsFolder(folder);
  const std::string where =
      is_file ? folder : absl::StrCat(folder, "/", kIndexFile);
  // An index that a file borrows names what may not be there.
  if (found == components.end() || (is_file && !Has(component))) {
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
