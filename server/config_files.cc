#include "server/config_files.h"

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace genzo {

std::vector<std::string> MissingFiles(const Config& config) {
  std::vector<std::string> missing;
  const auto look = [&](const std::string& field, const std::string& path) {
    std::error_code unreadable;
    if (path.empty() || std::filesystem::exists(path, unreadable)) return;
    missing.push_back(absl::StrCat(field, " ", path, " is not there"));
  };
  const auto look_at_all = [&](const std::string& field,
                               const std::vector<std::string>& paths) {
    for (size_t i = 0; i < paths.size(); ++i) {
      look(absl::StrCat(field, "[", i, "]"), paths[i]);
    }
  };
  for (size_t i = 0; i < config.models.size(); ++i) {
    const ModelConfig& model = config.models[i];
    const std::string field = absl::StrCat("models[", i, "]");
    look(field + ".path", model.path);
    look(field + ".config", model.config);
    for (const auto& [part, path] : model.parts) {
      look(absl::StrCat(field, ".parts.", part), path);
    }
  }
  look("models_folder", config.models_folder);
  look_at_all("loras", config.loras);
  look_at_all("controlnets", config.controlnets);
  look_at_all("ip_adapters", config.ip_adapters);
  look_at_all("embeddings", config.embeddings);
  look_at_all("upscalers", config.upscalers);
  for (size_t i = 0; i < config.scorers.size(); ++i) {
    const ScorerConfig& scorer = config.scorers[i];
    const std::string field = absl::StrCat("scorers[", i, "]");
    look(field + ".path", scorer.path);
    look(field + ".aesthetic_head", scorer.aesthetic_head);
  }
  look("safety.checker", config.safety.checker);
  look("webhooks.ca_file", config.webhooks.ca_file);
  look("tracing.ca_file", config.tracing.ca_file);
  return missing;
}

}  // namespace genzo
