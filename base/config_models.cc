#include "base/config_models.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

void ReadParts(const YAML::Node& node, const std::string& path,
               const std::string& base_folder, absl::Status& status,
               ModelConfig& model) {
  if (!node.IsDefined() || node.IsNull()) return;
  if (!node.IsMap()) {
    status.Update(absl::InvalidArgumentError(
        absl::StrCat(path, " is not a map of components and files")));
    return;
  }
  for (const auto& part : node) {
    const auto component = part.first.as<std::string>("");
    const auto file = part.second.as<std::string>("");
    if (component.empty() || file.empty()) {
      status.Update(absl::InvalidArgumentError(
          absl::StrCat(path, ".", component,
                       " is not the path of a file or "
                       "folder")));
    }
    model.parts[component] = InFolder(base_folder, file);
  }
}

ModelConfig ReadModel(const YAML::Node& node, const std::string& path,
                      const std::string& base_folder, absl::Status& status) {
  ModelConfig model;
  MapReader reader(node, path, status);
  reader.Read("id", model.id);
  reader.Read("path", model.path);
  reader.Read("config", model.config);
  reader.Read("pinned", model.pinned);
  ReadParts(reader.Child("parts"), reader.Path("parts"), base_folder, status,
            model);
  if (!IsModelId(model.id)) {
    reader.Fail(absl::StrCat(reader.Path("id"), " \"", model.id,
                             "\" does not match [a-z0-9][a-z0-9._-]{0,62}"));
  }
  if (model.path.empty()) {
    reader.Fail(absl::StrCat(reader.Path("path"), " is missing"));
  }
  model.path = InFolder(base_folder, model.path);
  if (!model.config.empty()) {
    model.config = InFolder(base_folder, model.config);
  }
  return model;
}

bool IsDevice(const std::string& device) {
  if (device == "auto" || device == "cpu" || device == "cuda") return true;
  const size_t colon = device.find(':');
  if (colon == std::string::npos) return false;
  const std::string kind = device.substr(0, colon);
  int number = -1;
  if (!absl::SimpleAtoi(device.substr(colon + 1), &number)) return false;
  return (kind == "cuda" && number >= 0 && number < 100) ||
         (kind == "cpu" && number >= 1 && number <= 64);
}

}  // namespace

void ReadModels(MapReader& root, const std::string& base_folder,
                absl::Status& status, Config& config) {
  root.Read("models_folder", config.models_folder);
  if (!config.models_folder.empty()) {
    config.models_folder = InFolder(base_folder, config.models_folder);
  }
  const YAML::Node models = root.Child("models");
  const bool any = models.IsDefined() && !models.IsNull();
  if ((any && (!models.IsSequence() || models.size() == 0)) ||
      (!any && config.models_folder.empty())) {
    return root.Fail("models is not a list of at least one model");
  }
  std::set<std::string> ids;
  for (size_t i = 0; any && i < models.size(); ++i) {
    const std::string path = absl::StrCat("models[", i, "]");
    config.models.push_back(ReadModel(models[i], path, base_folder, status));
    const std::string& id = config.models.back().id;
    if (!ids.insert(id).second) {
      root.Fail(absl::StrCat(path, ".id \"", id, "\" occurs twice"));
    }
  }
  root.Read("default_model", config.default_model);
  if (config.models.empty()) return;  // whatever the folder has first
  if (config.default_model.empty()) config.default_model = config.models[0].id;
  if (ids.count(config.default_model) == 0 && config.models_folder.empty()) {
    root.Fail(absl::StrCat("default_model \"", config.default_model,
                           "\" is not the id of any of models"));
  }
}

void ReadDevices(MapReader& root, Config& config) {
  const YAML::Node devices = root.Child("devices");
  if (!devices.IsDefined()) return;
  if (!devices.IsSequence() || devices.size() == 0) {
    return root.Fail("devices is not a list of at least one device");
  }
  config.devices.clear();
  for (size_t i = 0; i < devices.size(); ++i) {
    config.devices.push_back(devices[i].as<std::string>(""));
    if (IsDevice(config.devices.back())) continue;
    root.Fail(absl::StrCat("devices[", i, "] \"", config.devices.back(),
                           "\" is not one of auto, cpu, cpu:N, cuda, cuda:N"));
  }
}

}  // namespace genzo
