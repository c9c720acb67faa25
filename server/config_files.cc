#include "server/config_files.h"

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"

namespace genzo {
namespace {

using Sentences = std::vector<std::string>;

void Look(const std::string& field, const std::string& path,
          Sentences& missing) {
  std::error_code unreadable;
  if (path.empty() || std::filesystem::exists(path, unreadable)) return;
  missing.push_back(absl::StrCat(field, " ", path, " is not there"));
}

}  // namespace

std::vector<std::string> MissingFiles(const Config& config) {
  Sentences missing;
  for (size_t i = 0; i < config.models.size(); ++i) {
    const ModelConfig& model = config.models[i];
    const std::string field = absl::StrCat("models[", i, "]");
    Look(field + ".path", model.path, missing);
    Look(field + ".config", model.config, missing);
    for (const auto& [part, path] : model.parts) {
      Look(absl::StrCat(field, ".parts.", part), path, missing);
    }
  }
  for (size_t i = 0; i < config.scorers.size(); ++i) {
    const ScorerConfig& scorer = config.scorers[i];
    const std::string field = absl::StrCat("scorers[", i, "]");
    Look(field + ".path", scorer.path, missing);
    Look(field + ".aesthetic_head", scorer.aesthetic_head, missing);
  }
  Look("safety.checker", config.safety.checker, missing);
  Look("webhooks.ca_file", config.webhooks.ca_file, missing);
  Look("tracing.ca_file", config.tracing.ca_file, missing);
  return missing;
}

std::vector<std::string> MissingFolders(const Config& config) {
  Sentences missing;
  Look("models_folder", config.models_folder, missing);
  for (const auto& [field, folders] :
       {std::pair("loras", &config.loras),
        std::pair("controlnets", &config.controlnets),
        std::pair("ip_adapters", &config.ip_adapters),
        std::pair("embeddings", &config.embeddings),
        std::pair("upscalers", &config.upscalers)}) {
    for (size_t i = 0; i < folders->size(); ++i) {
      Look(absl::StrCat(field, "[", i, "]"), (*folders)[i], missing);
    }
  }
  return missing;
}

}  // namespace genzo
